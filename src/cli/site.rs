//! `--site`: which network is heard.

use clap::Args;

/// Letters of a name at the most.
const MOST_LETTERS: usize = 63;

/// Which network is heard.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct SiteArgs {
    /// Name of the network that is heard, in folders of Parquet and in what is published: letters, digits, - and _
    #[arg(long, value_name = "NAME", value_parser = site, default_value = "main")]
    pub site: String,
}

/// It stands in names of folders and in subjects.
fn site(text: &str) -> Result<String, String> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let is_name = !text.is_empty() && text.len() <= MOST_LETTERS && text.chars().all(is_letter);
    if is_name { Ok(text.to_owned()) } else { Err(format!("wanted 1 to {MOST_LETTERS} letters, digits, - and _")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_name_that_folders_can_have() {
        assert_eq!(site("St-Mary_2"), Ok("St-Mary_2".to_owned()));
        for wrong in ["", "a/b", "..", "a.b", "a b", "ä", "a=b", &"x".repeat(64)] {
            assert!(site(wrong).is_err(), "{wrong}");
        }
    }
}
