//! What a command line says itself.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Arg;

use super::takes_value;

/// What the command line itself says. It has neither short flags nor values that can be left out, so a walk tells flags from values.
#[derive(Default)]
pub(super) struct Given<'a> {
    args: Vec<&'a Arg>,
    /// The file that it names.
    pub config: Option<PathBuf>,
}

impl<'a> Given<'a> {
    /// Walks through what stands behind the command's name.
    pub fn of(sub: &'a clap::Command, argv: &[OsString]) -> Self {
        let (mut given, mut tokens, mut flags_end) = (Self::default(), argv.iter(), false);
        while let Some(token) = tokens.next() {
            let text = token.to_string_lossy();
            if text == "--" {
                flags_end = true;
            } else if let Some(flag) = text.strip_prefix("--").filter(|_| !flags_end) {
                let (name, value) =
                    flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(OsString::from(value))));
                let Some(arg) = sub.get_arguments().find(|arg| arg.get_long() == Some(name)) else { continue };
                let value = if takes_value(arg) { value.or_else(|| tokens.next().cloned()) } else { None };
                if arg.get_id() == "config" {
                    given.config = value.map(PathBuf::from);
                }
                given.args.push(arg);
            } else {
                given.args.extend(sub.get_positionals());
            }
        }
        given
    }

    /// Does the command line say this itself, or what cannot be together with it?
    pub fn overrules(&self, sub: &clap::Command, arg: &Arg) -> bool {
        let excludes = |one: &Arg, other: &Arg| sub.get_arg_conflicts_with(one).iter().any(|it| it.get_id() == other.get_id());
        self.args.iter().any(|given| given.get_id() == arg.get_id() || excludes(given, arg) || excludes(arg, given))
    }
}
