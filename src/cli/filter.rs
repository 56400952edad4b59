//! Which incidents are listed.

use super::answer_args::{AlertsArgs, StateArg};
use super::exit::Usage;
use crate::alert::IncidentLine;
use crate::detect::{Class, IncidentState};

/// What is asked for.
pub struct Filter<'a> {
    args: &'a AlertsArgs,
    classes: Vec<Class>,
}

impl<'a> Filter<'a> {
    /// The filter of the arguments.
    ///
    /// # Errors
    /// Names what is no class.
    pub fn of(args: &'a AlertsArgs) -> anyhow::Result<Self> {
        let known = |name: &String| {
            let names = || Class::ALL.map(|class| class.info().name).join(", ");
            Class::named(name).ok_or_else(|| Usage(format!("--class {name}: wanted one of {}", names())))
        };
        Ok(Self { args, classes: args.class.iter().map(known).collect::<Result<_, _>>()? })
    }

    /// Is it asked for, as its latest line tells it, with the most bits that it had?
    pub fn wants(&self, line: &IncidentLine, bits: f64) -> bool {
        let (args, it) = (self.args, &line.subject);
        let is_in = |net: &crate::flow::Net| it.hosts.iter().chain(&it.peers).any(|host| net.contains(host.0));
        let state = if line.state == IncidentState::Closed { StateArg::Closed } else { StateArg::Open };
        (self.classes.is_empty() || self.classes.contains(&it.class))
            && (args.host.is_empty() || args.host.iter().any(is_in))
            && args.state.is_none_or(|wanted| wanted == state)
            && args.min_bits.is_none_or(|least| bits >= least)
            && args.from.is_none_or(|from| it.last >= from)
            && args.to.is_none_or(|to| it.first < to)
    }

    /// Does an incident belong to the story that is asked for? `story` is the identifier of the first incident of the story that
    /// was asked for by any of its incidents.
    pub fn is_of_story(&self, line: &IncidentLine, stories: &[u64]) -> bool {
        self.args.story.is_none() || stories.contains(&line.story)
    }

    /// Is this the incident whose story is asked for, or its first?
    pub fn names_story(&self, line: &IncidentLine) -> bool {
        let asked = self.args.story.as_deref();
        asked.is_some_and(|id| line.id().starts_with(id) || format!("{:016x}", line.story).starts_with(id))
    }
}
