//! The clinic's ordinary life: all of it is benign, before and after the split.

pub mod dialogue;
mod imaging;
mod infrastructure;
mod oddity;
mod office;
mod ward;

pub use infrastructure::start;
pub use office::{file, mount, rename, ssh_log_in};

use super::net::Net;

/// Lets everybody do what they do all day.
pub fn live(net: &mut Net) {
    imaging::live(net);
    ward::live(net);
    office::live(net);
    infrastructure::live(net);
    oddity::live(net);
}
