//! Privileges given up: a process of this test gives them up as the program does and then tries to break out. Every attempt is made
//! without the guard first, so that one which fails for another reason shows.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::fd::FromRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use auscult::guard::{Allowed, Capture, Keep, User, fence, filter_calls, keep_only, no_new_privileges};

/// What the process inside is told: whether it is guarded, the folder that it may use, and two ports of which it may use the first.
const TOLD: [&str; 4] = ["AUSCULT_TEST_GUARD", "AUSCULT_TEST_FOLDER", "AUSCULT_TEST_PORT", "AUSCULT_TEST_OTHER_PORT"];
/// What no guarded process does.
const FORBIDDEN: [&str; 17] = [
    "read /etc/shadow",
    "write outside",
    "make outside",
    "remove outside",
    "link outside",
    "start a program",
    "connect to another port",
    "listen",
    "raw socket of IP",
    "ptrace",
    "bpf",
    "another namespace",
    "mount",
    "io_uring",
    "be root",
    "memory to write and run",
    "signal to others",
];
/// What it still does.
const NEEDED: [&str; 7] =
    ["read inside", "write inside", "rotate inside", "start a thread", "connect", "find a name", "socket of packets"];

/// One system call, whose outcome is all that is of interest.
#[allow(unsafe_code, reason = "no library makes the calls that nobody should make")]
fn call(number: libc::c_long, arguments: [libc::c_long; 4]) -> io::Result<libc::c_long> {
    let [first, second, third, fourth] = arguments;
    // SAFETY: the pointers that are handed over are null or lead to nothing that the kernel writes to.
    let outcome = unsafe { libc::syscall(number, first, second, third, fourth, 0, 0) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}

#[allow(unsafe_code, reason = "a descriptor from a bare call")]
fn socket(domain: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<()> {
    let made = call(libc::SYS_socket, [domain.into(), kind.into(), protocol.into(), 0])?;
    // SAFETY: the descriptor was made here and is nobody else's.
    drop(unsafe { File::from_raw_fd(i32::try_from(made).unwrap()) });
    Ok(())
}

fn told(name: usize) -> String {
    std::env::var(TOLD[name]).unwrap_or_default()
}

fn attempts(inside: &Path, outside: &Path, port: u16, other: u16) -> Vec<(&'static str, io::Result<()>)> {
    let done = |outcome: io::Result<libc::c_long>| outcome.map(drop);
    let appended = |path: PathBuf| OpenOptions::new().create(true).append(true).open(path).map(drop);
    let rotated = || {
        fs::rename(inside.join("written"), inside.join("written.1"))?;
        appended(inside.join("written"))
    };
    let thread = || std::thread::Builder::new().spawn(|| {}).map(|thread| thread.join().unwrap());
    vec![
        ("read inside", fs::read(inside.join("given")).map(drop)),
        ("write inside", appended(inside.join("written"))),
        ("rotate inside", rotated()),
        ("start a thread", thread()),
        ("connect", TcpStream::connect(("127.0.0.1", port)).map(drop)),
        ("find a name", ("localhost", 1).to_socket_addrs().map(drop)),
        ("socket of packets", socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
        ("read /etc/shadow", fs::read("/etc/shadow").map(drop)),
        ("write outside", OpenOptions::new().append(true).open(outside.join("kept")).map(drop)),
        ("make outside", appended(outside.join("made"))),
        ("link outside", fs::hard_link(inside.join("given"), outside.join("linked"))),
        ("remove outside", fs::remove_file(outside.join("spare"))),
        ("start a program", Command::new("/bin/true").status().map(drop)),
        ("connect to another port", TcpStream::connect(("127.0.0.1", other)).map(drop)),
        ("listen", TcpListener::bind(("127.0.0.1", 0)).map(drop)),
        ("raw socket of IP", socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
        ("signal to others", done(call(libc::SYS_kill, [std::os::unix::process::parent_id().into(), 0, 0, 0]))),
        // An array of one number: BPF_MAP_CREATE of a type, a key's, a value's size and a count that stand in the bytes handed over.
        ("bpf", {
            let wanted: [u32; 18] = [2, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            done(call(libc::SYS_bpf, [0, wanted.as_ptr() as libc::c_long, 72, 0]))
        }),
        ("io_uring", {
            let mut parameters = [0_u8; 120];
            done(call(libc::SYS_io_uring_setup, [1, parameters.as_mut_ptr() as libc::c_long, 0, 0]))
        }),
        ("memory to write and run", {
            let (all, how) = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            done(call(libc::SYS_mmap, [0, 4096, all.into(), how.into()]))
        }),
        ("be root", done(call(libc::SYS_setuid, [0, 0, 0, 0]))),
        ("mount", done(call(libc::SYS_mount, [c"none".as_ptr() as _, c"/proc".as_ptr() as _, 0, libc::MS_PRIVATE as _]))),
        ("another namespace", done(call(libc::SYS_unshare, [libc::CLONE_NEWUTS.into(), 0, 0, 0]))),
        // PTRACE_SEIZE, which stops nobody and ends with this thread.
        ("ptrace", done(call(libc::SYS_ptrace, [0x4206, std::os::unix::process::parent_id().into(), 0, 0]))),
    ]
}

/// Runs in a process of its own: gives up what it is told to and says how each attempt ended.
#[test]
#[ignore = "the other tests start it"]
fn inside() {
    let (guard, folder) = (told(0), PathBuf::from(told(1)));
    if guard.is_empty() {
        return;
    }
    let (port, other) = (told(2).parse().unwrap(), told(3).parse().unwrap());
    let (inside, outside) = (folder.join("inside"), folder.join("outside"));
    // Names are found and threads are begun once before, as libraries make themselves ready.
    if guard != "none" {
        let user = (guard == "user").then(|| User::known("nobody").unwrap());
        keep_only(Keep::Capture, user.as_ref()).unwrap();
        no_new_privileges().unwrap();
        let read = ["/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/lib", "/usr/lib", "/proc/self"].map(PathBuf::from);
        let allowed = Allowed { read: read.to_vec(), write: vec![inside.clone()], connect: vec![port], ..Allowed::default() };
        println!("\nholds: {}; {}", fence(&allowed).unwrap().in_words, filter_calls(Capture::Live).unwrap().in_words);
    }
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    for line in
        status.lines().filter(|line| ["Uid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp:"].iter().any(|it| line.starts_with(it)))
    {
        println!("\nstatus: {line}");
    }
    for (name, outcome) in attempts(&inside, &outside, port, other) {
        println!("\nattempt: {name}: {}", outcome.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
    }
}

struct Said {
    holds: String,
    status: BTreeMap<String, String>,
    attempts: BTreeMap<String, String>,
}

/// What a process says that is guarded in this way.
fn tried(guard: &str) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ports = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    for place in ["inside", "outside"] {
        fs::create_dir(path(place)).unwrap();
    }
    for file in ["inside/given", "outside/kept", "outside/spare"] {
        fs::write(path(file), "x").unwrap();
    }
    // What nobody may do for want of a permission would prove nothing of the guard.
    for open in ["", "inside", "outside", "inside/given", "outside/kept", "outside/spare"] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path(open), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let port = |which: usize| ports[which].local_addr().unwrap().port().to_string();
    let values = [guard.to_owned(), folder.path().to_str().unwrap().to_owned(), port(0), port(1)];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "guard::inside", "--ignored", "--nocapture", "--test-threads=1"]).envs(TOLD.into_iter().zip(values));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = |kind: &str| -> BTreeMap<String, String> {
        let of_kind = text.lines().filter_map(|line| line.strip_prefix(kind)?.split_once(':'));
        of_kind.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    };
    let said = Said {
        holds: text.lines().find_map(|line| line.strip_prefix("holds: ")).unwrap_or_default().to_owned(),
        status: lines("status: "),
        attempts: lines("attempt: "),
    };
    assert_eq!(said.attempts.len(), FORBIDDEN.len() + NEEDED.len(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn outcomes(said: &Said, names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), said.attempts[*name].clone())).collect()
}

#[test]
fn who_tries_to_break_out_fails_and_what_is_needed_goes_on() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can show that the guard is what stops it");
        return;
    }
    let free = tried("none");
    // Some may be closed in the container that the tests run in; then there is nothing to be shown of them.
    let possible: Vec<&str> = FORBIDDEN.into_iter().filter(|name| free.attempts[*name] == "done").collect();
    for name in FORBIDDEN.iter().filter(|name| !possible.contains(name)) {
        println!("skipped: {name}: not possible here anyway ({})", free.attempts[*name]);
    }
    assert!(possible.len() >= 11, "{:?}", free.attempts);
    for guard in ["root", "user"] {
        let said = tried(guard);
        if said.holds != "Landlock for paths and ports; a filter of system calls" {
            println!("skipped: this kernel holds less: {}", said.holds);
            return;
        }
        assert!(outcomes(&said, &NEEDED).iter().all(|(_, outcome)| outcome == "done"), "{guard}: {:?}", said.attempts);
        let escaped: Vec<_> = outcomes(&said, &possible).into_iter().filter(|(_, outcome)| outcome == "done").collect();
        assert!(escaped.is_empty(), "{guard}: {escaped:?}");
        let status = |name: &str| said.status[name].as_str();
        assert_eq!((status("NoNewPrivs"), status("Seccomp")), ("1", "2"));
        assert_eq!(
            (status("CapInh"), status("CapAmb"), status("CapBnd")),
            ("0000000000000000", "0000000000000000", "0000000000000000")
        );
        // Bit 13 is CAP_NET_RAW, bit 1 CAP_DAC_OVERRIDE.
        let left = if guard == "root" { "0000000000002002" } else { "0000000000002000" };
        assert_eq!((status("CapEff"), status("CapPrm")), (left, left), "{guard}");
        if guard == "user" {
            let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
            assert!(status("Uid").split_whitespace().all(|uid| uid == nobody.uid.to_string()), "{}", status("Uid"));
            assert!(!status("Groups").split_whitespace().any(|group| group == "0"), "{}", status("Groups"));
        }
    }
}
