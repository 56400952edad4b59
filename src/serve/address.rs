//! Where it listens, and who may ask.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sha2::{Digest, Sha256};

/// A token of fewer characters can be guessed.
const LEAST_TOKEN_CHARS: usize = 16;
/// People who may have a token.
const MOST_TOKENS: usize = 1000;
/// Who answers where nobody is named.
const NOBODY: &str = "http";

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What was asked for is not safe, or is none of ours.
    #[error("{0}")]
    Usage(String),
    /// It cannot listen, read a file or start a thread.
    #[error("{what}: {error}")]
    Io {
        /// What it was about.
        what: String,
        /// What the system said.
        error: io::Error,
    },
}

impl ServeError {
    pub(super) fn io(what: impl ToString, error: io::Error) -> Self {
        Self::Io { what: what.to_string(), error }
    }
}

/// How the page is served.
#[derive(Debug, Default)]
pub struct ServeOptions {
    /// Names under which it may be asked for, besides its address and those of this computer.
    pub names: Vec<String>,
    /// Certificate chain and private key, in PEM; without them, plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Who may ask; without them, who reaches the address.
    pub tokens: Option<Tokens>,
}

impl ServeOptions {
    /// Is it safe to listen there? This computer's own addresses are; others need TLS and tokens.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn check(&self, address: SocketAddr) -> Result<(), ServeError> {
        if address.ip().is_loopback() || self.tls.is_some() && self.tokens.is_some() {
            return Ok(());
        }
        Err(ServeError::Usage(format!(
            "{address} can be reached from elsewhere: give --http-cert, --http-key and --http-token, or listen on 127.0.0.1"
        )))
    }
}

/// Who may ask, and what they show for it.
#[derive(Clone, Default)]
pub struct Tokens {
    /// Digest of the token, and whose it is.
    known: Vec<([u8; 32], String)>,
}

/// What it holds is secret.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens", self.known.len())
    }
}

impl Tokens {
    /// Reads a file of tokens: one a line, behind the name of its owner and a space where they are to be told apart; empty lines and
    /// those that begin with `#` are passed over.
    ///
    /// # Errors
    /// When it cannot be read, or a line is wrong; its place is told, and never what stands there.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let text = fs::read_to_string(path).map_err(|error| ServeError::io(path.display(), error))?;
        let mut tokens = Self::default();
        for (place, line) in text.lines().enumerate() {
            let wrong = |what: &str| ServeError::Usage(format!("{}, line {}: {what}", path.display(), place + 1));
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, token) = match words.as_slice() {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                [token] => (NOBODY, *token),
                [name, token] => (*name, *token),
                _ => return Err(wrong("wanted a token, or a name and a token")),
            };
            if token.chars().count() < LEAST_TOKEN_CHARS {
                return Err(wrong("the token is shorter than 16 characters"));
            }
            tokens.known.push((Sha256::digest(token).into(), name.to_owned()));
        }
        if tokens.known.is_empty() || tokens.known.len() > MOST_TOKENS {
            return Err(ServeError::Usage(format!("{}: wanted 1 to {MOST_TOKENS} tokens", path.display())));
        }
        Ok(tokens)
    }

    /// Digests of tokens and whose they are.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8; 32], &str)> {
        self.known.iter().map(|(digest, name)| (digest, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elsewhere_needs_tls_and_tokens() {
        let mut options = ServeOptions::default();
        let at = |text: &str| text.parse().unwrap();
        assert!(["127.0.0.1:80", "[::1]:80", "127.9.9.9:1"].into_iter().all(|address| options.check(at(address)).is_ok()));
        for address in ["0.0.0.0:80", "[::]:80", "192.0.2.1:443"] {
            let error = options.check(at(address)).unwrap_err().to_string();
            assert!(error.contains("--http-token"), "{error}");
        }
        options.tls = Some(Default::default());
        assert!(options.check(at("0.0.0.0:443")).is_err(), "TLS alone");
        options.tokens = Some(Tokens::default());
        assert!(options.check(at("0.0.0.0:443")).is_ok());
    }

    #[test]
    fn tokens_have_names_and_no_error_shows_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "# who\n\nada 0123456789abcdef\nfedcba9876543210\n").unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert_eq!(tokens.iter().map(|(_, name)| name).collect::<Vec<_>>(), ["ada", "http"]);
        for (wrong, words) in
            [("", "wanted 1 to"), ("short", "line 1: the token is shorter"), ("a b secretsecretsecret", "line 1")]
        {
            fs::write(&path, wrong).unwrap();
            let error = Tokens::read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{error}");
        }
        assert!(!format!("{tokens:?}").contains("0123"));
    }
}
