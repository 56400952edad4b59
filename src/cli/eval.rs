//! stub until eval is merged
use super::args::EvalArgs;
use super::exit::Outcome;
/// stub
pub fn run(_args: &EvalArgs) -> anyhow::Result<Outcome> {
    Ok(Outcome::default())
}
