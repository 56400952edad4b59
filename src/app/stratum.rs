//! Stratum: how miners of coins get their work from a pool, a line of JSON at a time (as the mining programs speak it; there is no
//! standard).

use super::reader::holds;

/// Methods that a miner begins with.
const METHODS: [&[u8]; 4] = [b"mining.subscribe", b"mining.authorize", b"mining.configure", b"eth_submitlogin"];

/// Is this the first message of a miner?
pub(super) fn is_start(payload: &[u8]) -> bool {
    let head = payload.get(..256).unwrap_or(payload);
    if !head.starts_with(b"{") || !holds(head, b"\"method\"") {
        return false;
    }
    METHODS.iter().any(|method| holds(head, method)) || holds(head, b"\"login\"") && holds(head, b"\"pass\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn miners_are_told_from_other_json() {
        assert!(is_start(br#"{"id":1,"method":"mining.subscribe","params":["miner/1.0"]}"#));
        assert!(is_start(br#"{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"x","pass":"y","agent":"z"}}"#));
        assert!(!is_start(br#"{"id":1,"jsonrpc":"2.0","method":"eth_getBalance","params":[]}"#));
        assert!(!is_start(br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"login":1}}"#));
        assert!(!is_start(b"GET / HTTP/1.1\r\n"));
    }
}
