//! `--http`: the live page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::answer_file::{append, standing};
use super::answered::OnAnswers;
use super::exit::{Usage, in_one_line};
use super::guard::in_force;
use super::inventory::{home_of, vendors};
pub use super::page_about::About;
use crate::detect::{Answer, Answers, Submission};
use crate::evidence::Slices;
use crate::guard::Allowed;
use crate::pipeline::{Condition, Consumer, Emitted, Progress, Spent, Stopwatch};
use crate::replay::Output;
use crate::serve::{Answering, BoardConfig, Histogram, Overload, ServeError, ServeOptions, Server, Tap, Tokens, Vitals};
use crate::sighting::Sighting;
use crate::time::Timestamp;

/// How often it is looked whether a page that stays is to end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where the live page is served, and for whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live page")]
pub struct PageArgs {
    /// Serve a live page, its API and metrics here, as in 127.0.0.1:8080; another address than this computer's own needs --http-cert,
    /// --http-key and --http-token. With --answers, incidents can be answered there. replay serves it until INT or TERM
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// Names under which the page may be asked for, besides its address and localhost; repeat or separate by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "http")]
    pub http_name: Vec<String>,
    /// Certificate chain of the page, in PEM
    #[arg(long, value_name = "FILE", requires_all = ["http", "http_key"])]
    pub http_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "http_cert")]
    pub http_key: Option<PathBuf>,
    /// Who may ask: a token of at least 16 characters on each line, behind a name and a space where people are to be told apart
    #[arg(long, value_name = "FILE", requires = "http")]
    pub http_token: Option<PathBuf>,
}

/// A page that is served.
pub struct Page {
    server: Server,
    tap: Tap,
    judged: Arc<Histogram>,
    stays: bool,
}

impl PageArgs {
    /// Is a page wanted?
    pub const fn is_wanted(&self) -> bool {
        self.http.is_some()
    }

    /// What the page needs once rights are given up.
    pub fn allow(&self, allowed: &mut Allowed) {
        allowed.listen.extend(self.http.map(|address| address.port()));
        allowed.read.extend([&self.http_cert, &self.http_key, &self.http_token].into_iter().flatten().cloned());
    }
}

impl Page {
    /// Serves what the arguments ask for; nothing when no page is wanted.
    ///
    /// # Errors
    /// Wrong usage; an address that is taken; certificates, tokens or a registry that cannot be read.
    pub fn open(args: &PageArgs, about: About<'_>) -> anyhow::Result<Option<Self>> {
        let Some(address) = args.http else { return Ok(None) };
        let tokens = args.http_token.as_deref().map(Tokens::read).transpose().map_err(told)?;
        let tls = args.http_cert.clone().zip(args.http_key.clone());
        let options = ServeOptions { names: args.http_name.clone(), tls, tokens };
        options.check(address).map_err(told)?;
        let answers = standing(about.answers.as_deref().filter(|path| path.exists()), &about.mutes)?;
        let live = about.interface.is_some();
        let board = BoardConfig {
            title: about.interface.as_ref().map_or_else(|| "Captures".to_owned(), |interface| format!("Live on {interface}")),
            home: home_of(about.home, about.hidden),
            vendors: vendors(about.oui.as_deref(), about.hidden)?,
            model: about.model,
            answers: Arc::new(answers),
            told: about.told,
        };
        let judged = Arc::new(Histogram::default());
        let (gauges, interface, sinks) = (about.gauges, about.interface, about.sinks);
        let vitals = Vitals { gauges, judged: Arc::clone(&judged), interface, sinks, guarded: in_force() };
        let overload = if live { Overload::Drop } else { Overload::Wait };
        let answering = about.answers.map(|path| Arc::new(ToFile(path)) as Arc<dyn Answering>);
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let (server, tap) = Server::start(address, options, board, (overload, vitals), answering).map_err(told)?;
        tell!("auscult: the live page is at {scheme}://{}/", server.address());
        Ok(Some(Self { server, tap, judged, stays: !live }))
    }

    /// What takes the judge's results too.
    pub fn output(&self) -> Box<dyn Output> {
        Box::new(self.tap.beside())
    }

    /// What is told when other answers stand.
    pub fn on_answers(&self) -> OnAnswers {
        Box::new(self.server.on_answers())
    }

    /// Shows records on their way to the judge, and measures how long it takes.
    pub fn watching<'a>(&self, consumer: &'a mut dyn Consumer) -> Box<dyn Consumer + 'a> {
        Box::new(Measured { consumer, tap: self.tap.beside(), judged: Arc::clone(&self.judged), spent_s: 0.0 })
    }

    /// The run is over: the page of captures stays until it is told to end.
    pub fn finish(self, stop: &AtomicBool) {
        if self.stays && !stop.load(Ordering::Relaxed) {
            tell!("auscult: the live page stays at {}; INT or TERM ends", self.server.address());
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(LOOK_EVERY);
            }
        }
    }
}

fn told(error: ServeError) -> anyhow::Error {
    match error {
        ServeError::Usage(text) => Usage(text).into(),
        error @ ServeError::Io { .. } => error.into(),
    }
}

/// The file that the command line writes answers to.
struct ToFile(PathBuf);

impl Answering for ToFile {
    fn append(&self, answer: Answer) -> Result<(u64, Arc<Answers>), String> {
        let mut stand = Answers::default();
        let taken = append(&self.0, |answers| {
            stand = answers.clone();
            Ok(answer.clone())
        });
        let number = taken.map_err(|error| in_one_line(&error))?;
        stand.add(number, answer).map_err(|error| error.to_string())?;
        Ok((number, Arc::new(stand)))
    }
}

struct Measured<'a> {
    consumer: &'a mut dyn Consumer,
    tap: Tap,
    judged: Arc<Histogram>,
    /// Since the latest tick.
    spent_s: f64,
}

impl Consumer for Measured<'_> {
    fn sighting(&mut self, sighting: Sighting) {
        self.tap.sighting(sighting.clone());
        self.consumer.sighting(sighting);
    }

    fn record(&mut self, emitted: Emitted) {
        let watch = Stopwatch::start();
        self.consumer.record(emitted);
        self.spent_s += watch.seconds();
    }

    fn packets(&mut self, packets: Slices) {
        self.consumer.packets(packets);
    }

    fn tick(&mut self, now: Timestamp) {
        let watch = Stopwatch::start();
        self.consumer.tick(now);
        self.judged.observe(std::mem::take(&mut self.spent_s) + watch.seconds());
    }

    fn condition(&mut self, condition: Condition) {
        self.consumer.condition(condition);
    }

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        self.consumer.findings(found, now);
    }

    fn give_back(&mut self, to: &mut Vec<Spent>) {
        self.consumer.give_back(to);
    }

    fn progress(&mut self, progress: Progress) {
        self.consumer.progress(progress);
    }
}
