//! `--site`: which network is heard.

use clap::Args;

use super::sinks::sensor;

/// Letters of a name at the most.
const MOST_LETTERS: usize = 63;

/// Which network is heard.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct SiteArgs {
    /// Name of the network that is heard: letters, digits, - and _ [default: the name of this computer]
    #[arg(long, value_name = "NAME", value_parser = site)]
    pub site: Option<String>,
}

impl SiteArgs {
    /// The name that was given, else this computer's.
    pub fn name(&self) -> String {
        self.site.clone().unwrap_or_else(|| of_computer(&sensor()))
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// It stands in names of folders and of subjects.
fn site(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.len() <= MOST_LETTERS && text.chars().all(is_letter);
    if is_name { Ok(text.to_owned()) } else { Err(format!("wanted 1 to {MOST_LETTERS} letters, digits, - and _")) }
}

/// A computer's name may hold dots, and more.
fn of_computer(name: &str) -> String {
    name.chars().take(MOST_LETTERS).map(|letter| if is_letter(letter) { letter } else { '-' }).collect()
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
        assert_eq!(of_computer("sensor1.ward.example"), "sensor1-ward-example");
        assert!(site(&of_computer(&"é".repeat(80))).is_ok());
    }
}
