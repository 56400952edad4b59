//! Paths and ports: Landlock (landlock(7)).

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use super::{Enforced, GuardError, Held};

/// What the rules are written for; an older kernel enforces what it knows of them.
const WANTED: ABI = ABI::V6;

/// What stays allowed. All else that Landlock knows of is not: other paths, starting programs, other ports of TCP, signals to other
/// processes, abstract sockets of others. What is open already stays open.
#[derive(Debug, Default)]
pub struct Allowed {
    /// Files, and folders with all below, to be read.
    pub read: Vec<PathBuf>,
    /// The same, to be read, written, made, renamed within their folder and removed. Nothing is made but files and folders.
    pub write: Vec<PathBuf>,
    /// Ports of TCP to connect to.
    pub connect: Vec<u16>,
    /// Ports of TCP to listen on; 0 is any that is free.
    pub listen: Vec<u16>,
    /// May abstract sockets of others be spoken to?
    pub others_sockets: bool,
}

/// Allows nothing else to this thread and those that it starts. Says what holds; what the kernel cannot do is no error. A path that
/// is not there is left out.
///
/// # Errors
/// When the kernel refuses what it should know.
pub fn fence(allowed: &Allowed) -> Result<Held, GuardError> {
    let refused = |error: RulesetError| GuardError::System { action: "Landlock", source: std::io::Error::other(error) };
    let status = rules(allowed).map_err(refused)?.restrict_self().map_err(refused)?;
    let (how, in_words) = match (&status.ruleset, &status.landlock) {
        (RulesetStatus::FullyEnforced, _) => (Enforced::Whole, "Landlock for paths and ports".to_owned()),
        (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, .. }) => {
            let (has, wanted) = (*effective_abi as i32, WANTED as i32);
            (Enforced::InPart, format!("Landlock in part, since this kernel has version {has} of it and not {wanted}"))
        }
        (_, LandlockStatus::NotEnabled) => (Enforced::Not, "no Landlock, since this kernel has it switched off".to_owned()),
        _ => (Enforced::Not, "no Landlock, since this kernel has none".to_owned()),
    };
    Ok(Held { how, in_words })
}

fn rules(allowed: &Allowed) -> Result<RulesetCreated, RulesetError> {
    let scope = if allowed.others_sockets { Scope::Signal.into() } else { Scope::from_all(WANTED) };
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(WANTED))?.handle_access(AccessNet::from_all(WANTED))?;
    let mut rules = ruleset.scope(scope)?.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let make = AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::RemoveFile | AccessFs::RemoveDir;
    let write = read | make | AccessFs::WriteFile | AccessFs::Truncate;
    for (paths, access) in [(&allowed.read, read), (&allowed.write, write)] {
        for path in paths {
            rules = beneath(rules, path, access)?;
        }
    }
    for (ports, access) in [(&allowed.connect, AccessNet::ConnectTcp), (&allowed.listen, AccessNet::BindTcp)] {
        for &port in ports {
            rules = rules.add_rule(NetPort::new(port, access))?;
        }
    }
    Ok(rules)
}

fn beneath(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    // What stands behind /dev/stdout may be a pipe, which is no path and needs no rule.
    let (Ok(about), Ok(place), Ok(_)) = (path.metadata(), PathFd::new(path), path.canonicalize()) else { return Ok(rules) };
    let access = if about.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
    rules.add_rule(PathBeneath::new(place, access))
}
