//! What judges, and what is learned meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args::{JudgeArgs, LearnArgs};
use super::exit::Usage;
use super::hidden::{Hidden, HideArgs, fits};
use super::judge::load;
use super::reload::{Fitting, Judging};
use super::versions::Versions;
use crate::model::{Budget, Model, Source};
use crate::replay::{Adapt, Mode};
use crate::time::Span;
use crate::train::Course;

/// What judges, by the arguments.
///
/// # Errors
/// A model that cannot be loaded, or knows addresses by other names than those that are used.
pub fn mode(args: &JudgeArgs, hidden: Option<&Hidden>) -> anyhow::Result<Mode> {
    mode_by((args, None), hidden)
}

/// The same by a model that is `ready`, in place of the one that is named.
fn mode_by((args, ready): (&JudgeArgs, Option<Model>), hidden: Option<&Hidden>) -> anyhow::Result<Mode> {
    let budget = args.alert_budget.map(|per_day| Budget { per_day });
    Ok(match &args.model {
        Some(path) => {
            let model = ready.map_or_else(|| load(path), Ok)?;
            fits(&model, hidden.map(Hidden::fingerprint)).with_context(|| path.display().to_string())?;
            Mode::Model(Arc::new(model), budget)
        }
        None => Mode::SelfTaught { budget, seed: args.seed },
    })
}

/// What judges, and what is learned meanwhile.
pub struct Plan {
    /// What judges.
    pub mode: Mode,
    /// How its model learns on.
    pub adapt: Option<Adapt>,
    /// The model that was trained, where one judges that has learned on.
    pub anchor: Option<Model>,
    /// Where its versions are kept.
    pub versions: Option<Versions>,
    /// Where the model that was learned first is written.
    pub save_model: Option<PathBuf>,
    /// What replaces addresses and names.
    pub hidden: Option<Hidden>,
}

impl Plan {
    /// Judges and learns nothing.
    #[must_use]
    pub const fn only(mode: Mode, hidden: Option<Hidden>) -> Self {
        Self { mode, adapt: None, anchor: None, versions: None, save_model: None, hidden }
    }

    /// What the arguments ask for, of files or interfaces of these names, by the model that is `ready` where one is; one that `goes_on` has
    /// learned before what it finds learned.
    ///
    /// # Errors
    /// Wrong usage; models that cannot be loaded.
    pub fn of(
        (judge, ready): (&JudgeArgs, Option<Model>),
        (learn, hide): (&LearnArgs, &HideArgs),
        names: Vec<String>,
        home_net: &[String],
        goes_on: bool,
    ) -> anyhow::Result<Self> {
        let hidden = Hidden::open(hide)?;
        let mode = mode_by((judge, ready), hidden.as_ref())?;
        let mut plan = Self { save_model: learn.save_model.clone(), ..Self::only(mode, hidden) };
        if let Some(span) = learn.learn {
            let sources = names.into_iter().map(|name| Source { name, bytes: 0, sha256: None }).collect();
            let budget = judge.alert_budget.map(|per_day| Budget { per_day });
            let course = Course { seed: judge.seed, budget, sources, ..learned_as(home_net, plan.hidden.as_mut()) };
            plan.mode = Mode::Learn { span, course };
        }
        if let Some(folder) = &learn.adapt {
            plan.adapt_in(folder, learn.adapt_every, goes_on)?;
        }
        if let (Mode::Model(model, _), Some(hidden)) = (&mut plan.mode, &plan.hidden) {
            Arc::make_mut(model).baselines.order = hidden.order();
        }
        Ok(plan)
    }

    /// Judges by a model that was learned before, in place of learning.
    ///
    /// # Errors
    /// A model of other pseudonyms; versions that cannot be written.
    pub fn judge_by(&mut self, mut model: Model, budget: Option<Budget>) -> anyhow::Result<()> {
        let Fitting { key, order } = self.fitting();
        fits(&model, key)?;
        if let Some(versions) = self.versions.as_ref().filter(|versions| versions.is_empty()) {
            versions.add(&model)?;
        }
        if let Some(order) = order {
            model.baselines.order = order;
        }
        self.mode = Mode::Model(Arc::new(model), budget);
        Ok(())
    }

    /// What a model that comes later must fit.
    #[must_use]
    pub fn fitting(&self) -> Fitting {
        Fitting { key: self.hidden.as_ref().map(Hidden::fingerprint), order: self.hidden.as_ref().map(Hidden::order) }
    }

    /// Digest of the model that judges and the budget where it is not the model's own; none where nothing judges yet, or a capture by itself.
    ///
    /// # Errors
    /// A model that cannot be digested.
    pub fn judging(&self) -> anyhow::Result<Option<Judging>> {
        match &self.mode {
            Mode::Model(model, budget) => Ok(Some((model.digest()?, budget.map(|budget| budget.per_day)))),
            Mode::SelfTaught { .. } | Mode::Learn { .. } => Ok(None),
        }
    }

    /// Goes on where a folder of versions stands, or begins one.
    fn adapt_in(&mut self, folder: &Path, every: Span, goes_on: bool) -> anyhow::Result<()> {
        let versions = Versions::open(folder)?;
        if !versions.is_empty() {
            let anchor = versions.anchor()?;
            let digest = anchor.digest()?;
            let place = folder.display();
            match &mut self.mode {
                Mode::Learn { course, .. } if goes_on => {
                    let budget = course.budget;
                    self.mode = Mode::Model(Arc::new(versions.current()?), budget);
                }
                Mode::Learn { .. } => {
                    return Err(Usage(format!("--adapt {place}: it holds versions of a model already; leave out --learn")).into());
                }
                Mode::Model(model, _) if model.digest()? != digest && model.digest()? != versions.current()?.digest()? => {
                    return Err(Usage(format!("--adapt {place}: it holds versions of another model, {digest}")).into());
                }
                Mode::Model(model, _) => *model = Arc::new(versions.current()?),
                Mode::SelfTaught { budget, .. } => self.mode = Mode::Model(Arc::new(versions.current()?), *budget),
            }
            self.anchor = Some(anchor);
        } else if let Mode::Model(model, _) = &self.mode {
            versions.add(model)?;
        } else if matches!(self.mode, Mode::SelfTaught { .. }) {
            return Err(Usage(String::from("--adapt needs a model to begin with: give --model or --learn")).into());
        }
        if let Mode::Model(model, _) = &self.mode {
            fits(model, self.hidden.as_ref().map(Hidden::fingerprint)).with_context(|| folder.display().to_string())?;
        }
        self.adapt = Some(Adapt { every, next_version: versions.next_number()?.max(1) });
        self.versions = Some(versions);
        Ok(())
    }
}

/// How a model is made that was told of these home networks, and knows addresses as they are or by pseudonyms.
pub fn learned_as(home_net: &[String], hidden: Option<&mut Hidden>) -> Course {
    match hidden {
        Some(hidden) => Course {
            home_nets: hidden.home_texts(home_net),
            pseudonyms: Some(hidden.fingerprint()),
            order: hidden.order(),
            ..Course::default()
        },
        None => Course { home_nets: home_net.to_vec(), ..Course::default() },
    }
}
