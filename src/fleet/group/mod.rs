//! Several detectors that judge one stream together.
//!
//! ```text
//! PREFIX.flows.*.P ─┐                                        (the same P is judged by one of them)
//! PREFIX.flows.*.clock ─▶ order ─▶ assessor of P ─▶ PREFIX.findings.GROUP.P ─┐
//!                                                                            ▼  (one of them files)
//! PREFIX.flows.*.clock ───────────────────────────────▶ tick by tick ─▶ consumer: cases, incidents, alerts
//! ```
//!
//! Architecture invariants: what is found of a partition depends on its messages alone, so that two who own it at the same time find the
//! same, and who takes it over finds again what its checkpoint does not hold; findings have the ticks that they are of, and who files
//! takes each tick of a partition once. So nothing depends on who owns what; only the right to file is held by one alone.

mod account;
mod filing;
mod findings;
mod partitions;
mod positions;
mod share;
mod team;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use self::account::GroupAccount;
pub use self::filing::{Filing, Letters};
use self::share::Origins;
pub use self::share::Share;
use self::team::Team;
use super::FormError;
use super::merge::MergeConfig;
use super::run::{End, insist};
use crate::detect::Knowledge;
use crate::nats::{Access, Address, Bell, Followed, Follower, Keeping, Nats, NatsError, Parcel};
use crate::pipeline::{Consumer, Progress, Stopwatch};
use crate::state::Desk;
use crate::time::Timestamp;

/// Messages that are taken before it is looked after everything else.
const MOST_AT_ONCE: usize = 500;
/// How long messages are waited for.
const WITHIN: Duration = Duration::from_millis(100);
/// How long a server that is away is left alone.
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds between messages of findings, where they are not many.
const PUBLISH_S: f64 = 0.25;
/// Findings that are published at once.
const MANY_FOUND: usize = 5000;
/// Bytes of a checkpoint at the most.
const MOST_CHECKPOINT_BYTES: u64 = 1 << 30;
/// Seconds after which it is kept what was told.
const TOLD_S: f64 = 2.0;
/// Seconds in which a stream may be away before that is told.
const TROUBLE_S: f64 = 2.0;
/// Looks at a stream that has nothing more, after which that is taken to be all.
const QUIET_LOOKS: u32 = 5;

/// How a group works.
#[derive(Clone)]
pub struct GroupConfig {
    /// Where the stream is.
    pub address: Address,
    /// What opens it.
    pub access: Access,
    /// The group's name: who gives the same shares the work.
    pub group: String,
    /// This one's name, which no other of the group has.
    pub member: String,
    /// Partitions that sensors publish into.
    pub partitions: u16,
    /// How sensors are waited for.
    pub merge: MergeConfig,
    /// How often it is kept how far it is.
    pub checkpoint_every: Duration,
    /// How long findings are kept by the stream for them, where it is made.
    pub keeping: Keeping,
    /// Does it end when all that there is was judged?
    pub until_caught_up: bool,
    /// Told in a sentence what happens.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

/// A member of a group.
pub struct Group {
    config: GroupConfig,
    connection: Nats,
    knowledge: (Arc<Knowledge>, String),
    newest: Box<dyn FnMut() -> Option<(Arc<Knowledge>, String)>>,
    desk: Desk,
}

impl Group {
    /// Connects. `newest` tells when another model judges, with its digest.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub fn open(
        config: GroupConfig,
        knowledge: (Arc<Knowledge>, String),
        newest: Box<dyn FnMut() -> Option<(Arc<Knowledge>, String)>>,
        desk: Desk,
    ) -> Result<Self, NatsError> {
        let GroupConfig { address, access, group, member, .. } = &config;
        let connection = Nats::connect(address, access, &format!("auscult detect {group} {member}"))?;
        let subjects = vec![address.subject("findings.>")];
        let (files, keys) = (address.stream("state"), address.stream("groups"));
        insist(&config.tell, || {
            connection.make_stream(&address.stream("findings"), subjects.clone(), config.keeping)?;
            connection.make_stores(&files, &keys, config.keeping.replicas, Duration::ZERO)
        })?;
        (config.tell)(&format!("reads {address} as {member} of {group}"));
        Ok(Self { config, connection, knowledge, newest, desk })
    }
}

/// What a member has in hand.
struct Session<'g> {
    group: &'g mut Group,
    bell: Bell,
    team: Team,
    share: Share,
    /// Of the clock, and of each partition.
    flows: BTreeMap<Origins, Follower>,
    filing: Option<Filing<Follower>>,
    /// What is published before anything else goes on.
    parcels: Vec<Parcel>,
    published_s: f64,
    kept_s: BTreeMap<Option<u16>, f64>,
    quiet: u32,
    end: End,
    is_caught_up: bool,
    /// Since when something is wrong, and whether it was told.
    trouble: Option<(f64, bool)>,
    /// Is it this one who files, or is to when it gets the right to?
    is_to_file: bool,
    /// Was it heard who is there, so that its share is known?
    is_settled: bool,
    /// Was it published that nothing more comes?
    is_last_told: bool,
    account: GroupAccount,
}

/// Judges its share of a stream with others until `stop`, or to its end where that is asked for; while it has the right to file, all
/// findings are handed to `consumer`.
pub fn run(group: &mut Group, consumer: &mut dyn Consumer, stop: &AtomicBool) -> (GroupAccount, Option<NatsError>) {
    let watch = Stopwatch::start();
    let mut session = match Session::begin(group, watch.seconds()) {
        Ok(session) => session,
        Err(error) => return (GroupAccount::default(), Some(error)),
    };
    let mut away = None;
    while !stop.load(Ordering::Relaxed) {
        match session.step(watch.seconds(), consumer) {
            Ok(is_over) => {
                if away.take().is_some() {
                    (session.group.config.tell)(&format!("{}: it is there again", session.group.connection.server()));
                }
                if is_over {
                    break;
                }
            }
            Err(error) => {
                // What the servers have when they come again is looked at anew.
                (session.quiet, session.end) = (0, End::default());
                if away.is_none() {
                    session.account.outages += 1;
                    (session.group.config.tell)(&format!("{error}; it is tried again"));
                }
                let since_s = *away.get_or_insert(watch.seconds());
                if session.group.config.until_caught_up && watch.seconds() - since_s > session.group.config.merge.patience_s {
                    return (session.account(), Some(error));
                }
                std::thread::sleep(PAUSE);
            }
        }
        consumer.progress(Progress { read_bytes: 0 });
    }
    session.leave(consumer);
    (session.account(), None)
}

impl<'g> Session<'g> {
    fn begin(group: &'g mut Group, now_s: f64) -> Result<Self, NatsError> {
        let config = &group.config;
        // Another one of the same name, or of an earlier run, is another one.
        let id = format!("{}-{}", config.member, crate::pipeline::now().nanos());
        let team = Team::join(&group.connection, config, id, now_s)?;
        let share = Share::new(Arc::clone(&group.knowledge.0), config.partitions, config.merge);
        let account = GroupAccount { partitions: config.partitions, ..GroupAccount::default() };
        Ok(Self {
            bell: Bell::default(),
            team,
            share,
            flows: BTreeMap::new(),
            filing: None,
            parcels: Vec::new(),
            published_s: now_s,
            kept_s: BTreeMap::new(),
            quiet: 0,
            end: End::default(),
            is_caught_up: false,
            trouble: None,
            is_to_file: false,
            is_settled: false,
            is_last_told: false,
            account,
            group,
        })
    }

    /// One round. Says whether it is over.
    fn step(&mut self, now_s: f64, consumer: &mut dyn Consumer) -> Result<bool, NatsError> {
        self.send()?;
        if let Some(members) = self.team.look(&self.group.connection, now_s)? {
            let share = self.team.share(&members, self.group.config.partitions);
            if share != self.share.names() {
                self.move_to(share, members.len(), now_s)?;
            }
            self.is_settled = true;
            self.look_after_filing(&members, now_s, consumer)?;
        }
        if let Some((knowledge, model)) = (self.group.newest)() {
            self.publish(now_s)?;
            self.share.judge_by(&knowledge);
            self.group.knowledge = (knowledge, model);
        }
        let mut has_come = self.read(now_s);
        self.share.advance(now_s);
        self.tell_remark();
        self.catch_up(has_come, now_s);
        let is_due = now_s - self.published_s >= PUBLISH_S || self.share.waiting() >= MANY_FOUND;
        if is_due || self.is_caught_up {
            self.publish(now_s)?;
        }
        self.keep_partitions(now_s, false)?;
        let mut is_over = self.is_last_told && !self.is_to_file;
        if let Some(filing) = self.filing.as_mut().filter(|_| self.team.holds(now_s)) {
            has_come |= filing.step(now_s, consumer, &mut self.account, &self.group.knowledge.1);
            filing.remarks().iter().for_each(|remark| (self.group.config.tell)(remark));
            is_over = self.is_last_told && filing.is_done(consumer, &mut self.account);
            if is_over {
                // What is open then is closed by the judge: another run begins with nothing.
                let kept = filing.checkpoint(None);
                self.group.desk.end();
                self.put_filing(kept)?;
            } else {
                self.keep_filing(now_s, consumer)?;
            }
        }
        if !has_come && !is_over {
            self.tell_trouble(now_s);
            self.group.connection.wait_for(&self.bell, WITHIN);
        }
        Ok(is_over)
    }

    /// Tells why nothing comes, where something is wrong for longer than a moment.
    fn tell_trouble(&mut self, now_s: f64) {
        let of_flows = self.flows.values().find_map(Follower::error);
        let Some(error) = of_flows.or_else(|| self.filing.as_ref().and_then(Filing::error)) else {
            self.trouble = None;
            return;
        };
        let (since_s, is_told) = self.trouble.get_or_insert((now_s, false));
        if now_s - *since_s >= TROUBLE_S && !std::mem::replace(is_told, true) {
            (self.group.config.tell)(&format!("{}: {error}; it is tried again", self.group.connection.server()));
        }
    }

    /// Takes messages of sensors in the order of the stream.
    fn read(&mut self, now_s: f64) -> bool {
        for taken in 0..MOST_AT_ONCE {
            // What is on its way may come before what is here.
            if self.flows.values_mut().any(|follower| follower.peek().is_none() && !follower.is_dry()) {
                return taken > 0;
            }
            let first = self.flows.iter_mut().filter_map(|(&place, follower)| Some((follower.peek()?.sequence, place))).min();
            let Some((_, place)) = first else { return taken > 0 };
            let next = self.flows.get_mut(&place).and_then(Follower::take);
            let Some(Followed { payload, sequence, stored }) = next else { return taken > 0 };
            self.share.take((place, sequence), &payload, (now_s, Timestamp::from_nanos(stored)));
        }
        true
    }

    /// Tells what could not be read.
    fn tell_remark(&mut self) {
        if let Some(remark) = self.share.remark() {
            (self.group.config.tell)(&format!("{remark}; passed over, and counted"));
        }
    }

    /// Is all judged that there is, where it ends then?
    fn catch_up(&mut self, has_come: bool, now_s: f64) {
        if !self.group.config.until_caught_up || self.is_caught_up || !self.is_settled {
            return;
        }
        let is_dry = !has_come && self.flows.values_mut().all(Follower::is_dry);
        self.quiet = if is_dry { self.quiet + 1 } else { 0 };
        let patience_s = self.group.config.merge.patience_s;
        if self.quiet >= QUIET_LOOKS && self.end.is_all(self.share.is_whole(), patience_s, now_s) {
            self.share.finish();
            self.tell_remark();
            self.is_caught_up = true;
        }
    }

    /// Makes messages of what was found, and sends them.
    fn publish(&mut self, now_s: f64) -> Result<(), NatsError> {
        let GroupConfig { address, group, .. } = &self.group.config;
        let is_last = self.is_caught_up && !std::mem::replace(&mut self.is_last_told, self.is_caught_up);
        let made = self.share.messages(group, &self.group.knowledge.1, is_last);
        for (partition, mut id, payload) in made {
            if is_last {
                // Who files hears that of everybody who is there: one who comes when all was found before finds the same, and a stream that
                // has it keeps no second of the same identifier.
                id = format!("{id}.{}.{}", self.team.id(), self.account.moves);
            }
            let subject = address.subject(&format!("findings.{group}.{partition}"));
            self.account.published += 1;
            self.account.published_bytes += payload.len() as u64;
            self.parcels.push(Parcel { subject, id, payload });
        }
        self.published_s = now_s;
        self.send()
    }

    /// Sends what was made. What is not taken goes first the next time.
    fn send(&mut self) -> Result<(), NatsError> {
        if self.parcels.is_empty() {
            return Ok(());
        }
        let sent = self.group.connection.publish(&self.parcels);
        self.parcels.drain(..sent.taken);
        sent.error.map_or(Ok(()), Err)
    }

    /// Takes over the partitions that are this one's by now, and lets go of those that are not.
    fn move_to(&mut self, share: BTreeSet<u16>, members: usize, now_s: f64) -> Result<(), NatsError> {
        self.publish(now_s)?;
        self.keep_partitions(now_s, true)?;
        let mut checkpoints = BTreeMap::new();
        for &partition in share.difference(&self.share.names()) {
            let bucket = self.group.config.address.stream("state");
            let found = self.group.connection.find_file(&bucket, &self.name(Some(partition)), MOST_CHECKPOINT_BYTES)?;
            checkpoints.extend(found.map(|found| (partition, found)));
        }
        self.account.add(self.share.account());
        let (from, failed) = self.share.own(&share, &checkpoints);
        let GroupConfig { address, partitions, tell, .. } = &self.group.config;
        for (partition, error) in failed {
            tell(&format!("partition {partition}: {error}; it is judged again from the first message that there is"));
        }
        tell(&format!("judges {} of {partitions} partitions, of {members} detectors", share.len()));
        let stream = address.stream("flows");
        let follow = |(place, from): (Origins, u64)| {
            let last = place.map_or_else(|| "clock".to_owned(), |partition| partition.to_string());
            let subject = address.subject(&format!("flows.*.{last}"));
            (place, self.group.connection.follow(&stream, &subject, from, &self.bell))
        };
        self.flows = from.into_iter().map(follow).collect();
        self.account.moves += 1;
        (self.quiet, self.end, self.is_caught_up, self.is_last_told) = (0, End::default(), false, false);
        Ok(())
    }

    /// Begins to file, or lets another one.
    fn look_after_filing(
        &mut self,
        members: &BTreeSet<String>,
        now_s: f64,
        consumer: &mut dyn Consumer,
    ) -> Result<(), NatsError> {
        let is_to_file = self.team.is_to_file(members);
        self.is_to_file = is_to_file;
        let is_held = is_to_file && self.team.lease(&self.group.connection, now_s)?;
        match (&self.filing, is_held) {
            (None, true) => {
                let bucket = self.group.config.address.stream("state");
                let found = self.group.connection.find_file(&bucket, &self.name(None), MOST_CHECKPOINT_BYTES)?;
                let GroupConfig { address, group, partitions, merge, .. } = &self.group.config;
                let follow = |partition: Option<u16>, from: u64| {
                    let (stream, subject) = partition.map_or_else(
                        || ("flows", "flows.*.clock".to_owned()),
                        |partition| ("findings", format!("findings.{group}.{partition}")),
                    );
                    self.group.connection.follow(&address.stream(stream), &address.subject(&subject), from, &self.bell)
                };
                let (filing, memory, outcome) = Filing::open(follow, (*partitions, *merge), found.as_deref());
                if let Err(error) = outcome {
                    (self.group.config.tell)(&format!("what was filed: {error}; it is begun anew"));
                }
                self.group.desk.hand_over(memory.as_deref());
                consumer.progress(Progress { read_bytes: 0 });
                self.filing = Some(filing);
                self.account.has_filed = true;
                (self.group.config.tell)("files what all find, and tells");
            }
            (Some(_), false) if is_to_file => {
                self.filing = None;
                (self.group.config.tell)("another one files by now");
            }
            (Some(_), _) if !is_to_file => {
                self.keep_memory(consumer)?;
                self.filing = None;
                self.team.release(&self.group.connection);
                (self.group.config.tell)("another one files from now on");
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps how far partitions are: those whose turn it is, or all.
    fn keep_partitions(&mut self, now_s: f64, all: bool) -> Result<(), NatsError> {
        let every_s = self.group.config.checkpoint_every.as_secs_f64();
        for partition in self.share.names() {
            let kept_s = self.kept_s.entry(Some(partition)).or_insert(now_s);
            if (now_s - *kept_s < every_s && !all) || !self.parcels.is_empty() {
                continue;
            }
            *kept_s = now_s;
            match self.share.checkpoint(partition) {
                Some(Ok(bytes)) => {
                    let (bucket, name) = (self.group.config.address.stream("state"), self.name(Some(partition)));
                    self.group.connection.put_file(&bucket, &name, &bytes)?;
                }
                Some(Err(error)) => (self.group.config.tell)(&format!("partition {partition}: {error}; it is not kept")),
                None => {}
            }
        }
        Ok(())
    }

    /// Keeps what is filed when its turn has come: sooner where something was told.
    fn keep_filing(&mut self, now_s: f64, consumer: &mut dyn Consumer) -> Result<(), NatsError> {
        let kept_s = *self.kept_s.entry(None).or_insert(now_s);
        let every_s = self.group.config.checkpoint_every.as_secs_f64();
        let is_telling = self.group.desk.has_told();
        if now_s - kept_s < if is_telling { every_s.min(TOLD_S) } else { every_s } {
            return Ok(());
        }
        self.kept_s.insert(None, now_s);
        self.keep_memory(consumer)
    }

    /// Keeps what the judge remembers by now; not while alerts wait that were not written yet.
    fn keep_memory(&mut self, consumer: &mut dyn Consumer) -> Result<(), NatsError> {
        self.group.desk.ask();
        consumer.progress(Progress { read_bytes: 0 });
        match (self.group.desk.answer(), &self.filing) {
            (Some(memory), Some(filing)) => self.put_filing(filing.checkpoint(Some(memory))),
            _ => Ok(()),
        }
    }

    fn put_filing(&self, kept: Result<Vec<u8>, FormError>) -> Result<(), NatsError> {
        match kept {
            Ok(bytes) => {
                let (bucket, name) = (self.group.config.address.stream("state"), self.name(None));
                self.group.connection.put_file(&bucket, &name, &bytes)
            }
            Err(error) => {
                (self.group.config.tell)(&format!("what is filed: {error}; it is not kept"));
                Ok(())
            }
        }
    }

    /// The name of a checkpoint: of a partition, or of what is filed.
    fn name(&self, partition: Option<u16>) -> String {
        let group = &self.group.config.group;
        partition.map_or_else(|| format!("{group}.filing"), |partition| format!("{group}.{partition}"))
    }

    /// Ends: others go on from what is kept.
    fn leave(&mut self, consumer: &mut dyn Consumer) {
        let now_s = self.published_s + PUBLISH_S;
        let kept = self.publish(now_s).and_then(|()| self.keep_partitions(now_s, true));
        let kept = kept.and_then(|()| if self.is_last_told { Ok(()) } else { self.keep_memory(consumer) });
        if let Err(error) = kept {
            (self.group.config.tell)(&format!("{error}; others go on from what was kept before"));
        }
        self.team.leave(&self.group.connection);
    }

    fn account(&mut self) -> GroupAccount {
        let mut account = std::mem::take(&mut self.account);
        account.add(self.share.account());
        account.owned = self.share.names().len() as u64;
        (account.judged, account.lost_findings) = self.share.judged();
        account
    }
}
