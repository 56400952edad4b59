//! Privileges: who the program runs as, and what it may still touch once it has begun.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Args;

use super::answer_args::AnswersArgs;
use super::args::{DetectArgs, JudgeArgs, LearnArgs, OutputArgs, ReplayArgs, WatchArgs};
use super::config::ConfigArgs;
use super::evidence::EvidenceArgs;
use super::exit::Usage;
use super::hidden::{HideArgs, beside};
use super::inventory::REGISTRIES;
use super::lake::is_folder;
use crate::guard::{
    Allowed, Capture, Enforced, GuardError, Keep, User, fence, filter_calls, is_root, keep_only, no_new_privileges, runs_as,
};
use crate::sink::{Place, Target};

/// Whom root becomes where nobody else is named.
const USUAL: &str = "auscult";

/// What a program that captures gives up.
#[derive(Debug, Args)]
#[command(next_help_heading = "Privileges")]
pub struct PrivilegeArgs {
    /// Become this user before anything is opened, keeping only what capturing needs; when started as root [default: auscult, where
    /// there is such a user]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Leave paths, ports and system calls open that are not needed
    #[arg(long)]
    pub no_sandbox: bool,
}

/// What a program that reads files gives up.
#[derive(Debug, Args)]
#[command(next_help_heading = "Privileges")]
pub struct SandboxArgs {
    /// Close paths, ports and system calls that are not needed, as watch does: for files of uncertain origin
    #[arg(long)]
    pub sandbox: bool,
}

/// What was given up. It is the whole process's, and nothing of it comes back.
static GIVEN_UP: OnceLock<GivenUp> = OnceLock::new();

/// What was given up.
struct GivenUp {
    in_words: String,
    /// Of paths, ports and calls.
    held: Option<[Enforced; 2]>,
}

impl GivenUp {
    /// Notes it, and gives it back in words.
    fn note(in_words: String, held: Option<[Enforced; 2]>) -> String {
        // A process gives rights up once.
        let _ = GIVEN_UP.set(Self { in_words: in_words.clone(), held });
        in_words
    }
}

/// What was given up, in words; none where nothing was.
pub fn given_up() -> Option<&'static str> {
    GIVEN_UP.get().map(|it| it.in_words.as_str())
}

/// What may hold of it, by its name in metrics, and whether it does.
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "there is no page"))]
pub fn in_force() -> Vec<(&'static str, bool)> {
    let held = GIVEN_UP.get().and_then(|it| it.held);
    let [paths, calls] = held.unwrap_or([Enforced::Not; 2]);
    vec![
        ("user", !is_root()),
        ("no_new_privileges", held.is_some()),
        ("landlock", paths > Enforced::Not),
        ("landlock_whole", paths == Enforced::Whole),
        ("seccomp", calls == Enforced::Whole),
    ]
}

/// Gives up what `watch` does not need, and says what holds. Before anything is opened and any thread is started.
///
/// # Errors
/// A user that there is not or that cannot be become; a system that refuses what it should know.
pub fn of_watch(args: &WatchArgs, state: Option<&Path>) -> anyhow::Result<String> {
    let PrivilegeArgs { user, no_sandbox } = &args.privileges;
    let user = user_of(user.as_deref())?;
    keep_only(Keep::Capture, user.as_ref())?;
    let runs = format!("runs as {}, with CAP_NET_RAW {}alone", runs_as(), if is_root() { "and CAP_DAC_OVERRIDE " } else { "" });
    let (warning, advice) = match (is_root(), &args.privileges.user) {
        (false, _) => ("", String::new()),
        (true, Some(_)) => ("warning: ", String::new()),
        (true, None) => ("warning: ", format!("; there is no user {USUAL}: make one, or name another with --user")),
    };
    if *no_sandbox {
        return Ok(GivenUp::note(format!("{warning}{runs}; without a sandbox{advice}"), None));
    }
    let mut allowed = needed(&args.output, &args.answers, (&args.judge, &args.learn), (&args.hide, &args.config))?;
    of_evidence(&mut allowed, &args.evidence);
    folder(&mut allowed, state);
    args.page.allow(&mut allowed);
    args.publish.allow(&args.output, &args.judge, &mut allowed);
    // How interfaces stand.
    allowed.read.extend(["/sys/class/net", "/sys/devices"].map(PathBuf::from));
    let (closed, held) = close(&allowed, Capture::Live)?;
    Ok(GivenUp::note(format!("{warning}{runs}; {closed}{advice}"), Some(held)))
}

/// The same for `replay`, where it is wanted.
///
/// # Errors
/// As [`of_watch`].
pub fn of_replay(args: &ReplayArgs) -> anyhow::Result<()> {
    if !args.sandbox.sandbox {
        return Ok(());
    }
    let mut allowed = needed(&args.output, &args.answers, (&args.judge, &args.learn), (&args.hide, &args.config))?;
    allowed.read.extend(args.inputs.iter().chain(&args.recheck).cloned());
    of_evidence(&mut allowed, &args.evidence);
    folder(&mut allowed, args.state.state.as_deref());
    args.page.allow(&mut allowed);
    args.publish.allow(&args.output, &args.judge, &mut allowed);
    of_files(&allowed)
}

/// The same for `detect`, where it is wanted.
///
/// # Errors
/// As [`of_watch`].
pub fn of_detect(args: &DetectArgs) -> anyhow::Result<()> {
    if !args.sandbox.sandbox {
        return Ok(());
    }
    let mut allowed = needed(&args.output, &args.answers, (&args.judge, &args.learn), (&args.hide, &args.config))?;
    allowed.read.extend(args.inputs.iter().cloned());
    args.stream.allow(&args.inputs, &args.judge.model, &mut allowed);
    of_files(&allowed)
}

fn of_files(allowed: &Allowed) -> anyhow::Result<()> {
    keep_only(Keep::Nothing, None)?;
    let (closed, held) = close(allowed, Capture::None)?;
    tell!("auscult: {}", GivenUp::note(format!("sandbox: {closed}"), Some(held)));
    Ok(())
}

/// Whom to become.
fn user_of(name: Option<&str>) -> anyhow::Result<Option<User>> {
    let wrong = |text: String| anyhow::Error::from(Usage(format!("--user {}: {text}", name.unwrap_or(USUAL))));
    let found = match name {
        Some(name) => Some(User::known(name).map_err(|error| match error {
            GuardError::NoSuchUser(_) => wrong("there is no such user".to_owned()),
            error => error.into(),
        })?),
        None if is_root() => User::named(USUAL)?,
        None => None,
    };
    match found {
        Some(user) if user.is_this() => Ok(None),
        Some(user) if user.is_root() || !is_root() => Err(wrong("only root can become another user".to_owned())),
        found => Ok(found),
    }
}

fn close(allowed: &Allowed, capture: Capture) -> Result<(String, [Enforced; 2]), GuardError> {
    no_new_privileges()?;
    // In this order: the filter has no room for the calls of the other.
    let [paths, calls] = [fence(allowed)?, filter_calls(capture)?];
    Ok((format!("no new privileges; {}; {}", paths.in_words, calls.in_words), [paths.how, calls.how]))
}

/// What all of them need.
fn needed(
    output: &OutputArgs,
    answers: &AnswersArgs,
    (judge, learn): (&JudgeArgs, &LearnArgs),
    (hide, config): (&HideArgs, &ConfigArgs),
) -> anyhow::Result<Allowed> {
    let is_abstract = std::env::var("NOTIFY_SOCKET").is_ok_and(|path| path.starts_with('@'));
    let mut allowed = Allowed { others_sockets: is_abstract, ..Allowed::default() };
    // The name of this machine; how many threads are worth while.
    let always = ["/proc/sys/kernel/hostname", "/etc/hostname", "/proc/self", "/sys/fs/cgroup"];
    allowed.read.extend(always.map(PathBuf::from));
    for path in [&judge.model, &config.config].into_iter().flatten() {
        allowed.read.push(around(path));
    }
    let key = hide.pseudonyms.iter();
    allowed.read.extend(key.clone().map(|key| around(key)));
    let names = key.map(|key| beside(key, ".names"));
    let OutputArgs { flows, hosts, stats, inventory, .. } = output;
    let (lake, flows) = if flows.as_deref().is_some_and(is_folder) { (flows, &None) } else { (&None, flows) };
    folder(&mut allowed, lake.as_deref());
    let written = [flows, hosts, stats, &inventory.inventory, &answers.answers, &answers.hidden, &learn.save_model];
    for path in written.into_iter().flatten().cloned().chain(names) {
        file(&mut allowed, &path);
    }
    folder(&mut allowed, learn.adapt.as_deref());
    allowed.read.extend(inventory.oui.iter().map(|path| around(path)));
    allowed.read.extend(REGISTRIES.iter().map(|place| around(Path::new(place))));
    let targets: Vec<Target> = output.alerts.iter().map(|name| Target::parse(name)).collect::<Result<_, _>>().unwrap_or_default();
    for target in &targets {
        if let Place::File(path) = &target.place {
            file(&mut allowed, path);
        }
        allowed.read.extend(target.files().map(|path| around(path)));
        allowed.connect.extend(target.tcp_ports());
    }
    if targets.iter().any(Target::is_remote) {
        folder(&mut allowed, output.sinks.spool_for(&targets)?.as_deref());
        of_network(&mut allowed);
    }
    Ok(allowed)
}

/// To find a name's address and to trust a certificate. Files of the system, which may be put in place anew while this runs, so that their
/// folders are named.
pub fn of_network(allowed: &mut Allowed) {
    let of_system = [
        "/etc",
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/run/systemd/resolve",
        "/run/resolvconf",
        "/run/NetworkManager",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
    ];
    allowed.read.extend(of_system.map(PathBuf::from));
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        allowed.read.extend(std::env::var_os(variable).iter().flat_map(std::env::split_paths));
    }
    // Names also over TCP, where an answer is long.
    allowed.connect.push(53);
    #[cfg(feature = "tls")]
    allowed.connect.extend(crate::sink::proxy_port());
}

fn of_evidence(allowed: &mut Allowed, evidence: &EvidenceArgs) {
    folder(allowed, evidence.evidence.as_deref());
}

/// A folder that is written to. It is made when it is not there, since only what is there can be allowed; why that fails is told by who
/// needs it.
pub fn folder(allowed: &mut Allowed, path: Option<&Path>) {
    let Some(path) = path else { return };
    let _ = DirBuilder::new().recursive(true).mode(0o700).create(path);
    allowed.write.push(path.to_owned());
}

/// A file that is written: its folder, since it is made, rotated, or put in place there; a device or pipe alone.
fn file(allowed: &mut Allowed, path: &Path) {
    if path.as_os_str() == "-" {
        return;
    }
    let is_regular = path.metadata().map_or(true, |about| about.is_file());
    if !is_regular {
        allowed.write.push(path.to_owned());
        return;
    }
    allowed.write.push(folder_of(path));
    // What a link leads to.
    allowed.write.extend(path.canonicalize().ok().filter(|target| target != path));
}

/// What may be read for a file: its folder, since another may take its place; of a folder, all of it.
pub fn around(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { folder_of(path) }
}

fn folder_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}
