//! System calls: a seccomp filter (seccomp(2)) that lets through what is listed here and nothing else.
//!
//! Another call fails with ENOSYS, as on a kernel that has none: libraries then take the older call that is listed, where they have one.

use std::collections::BTreeMap;

use libc::*;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use super::{Enforced, GuardError, Held};

/// Files and folders that are there or made; no mounts, no owners, no special files.
const FILES: &[c_long] = &[
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_preadv,
    SYS_preadv2,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_pwritev2,
    SYS_openat,
    SYS_openat2,
    SYS_close,
    SYS_close_range,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_umask,
    SYS_utimensat,
    SYS_truncate,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_flock,
    SYS_fcntl,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_splice,
];
/// Of the process itself: memory, threads, signals, who it is.
const OWN: &[c_long] = &[
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_mincore,
    SYS_membarrier,
    SYS_futex,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_exit,
    SYS_exit_group,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_getcpu,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_tgkill,
    SYS_restart_syscall,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getgroups,
    SYS_capget,
    SYS_getrusage,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
];
/// Time, and waiting.
const WAITING: &[c_long] = &[
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
];
/// Sockets, once there are some.
const SOCKETS: &[c_long] = &[
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_getsockname,
    SYS_getpeername,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_shutdown,
];
/// What newer processors have only in another form.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    SYS_open,
    SYS_creat,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_rename,
    SYS_link,
    SYS_chmod,
    SYS_dup2,
    SYS_pipe,
    SYS_arch_prctl,
    SYS_time,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// All bits of `clone` that make a namespace.
const NAMESPACES: c_int =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
/// The kind of socket, without its flags.
const KIND: u64 = 0xf;
/// Of the console; libc has no name for it.
const TIOCLINUX: u64 = 0x541c;

/// Are interfaces listened to?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Sockets of packets may be opened, now and when an interface comes back.
    Live,
    /// They may not.
    None,
}

/// Lets only these calls through from now on, in all threads. Says what holds; a kernel or processor without such filters is no
/// error.
///
/// # Errors
/// When the filter is wrong.
pub fn filter_calls(capture: Capture) -> Result<Held, GuardError> {
    let wrong =
        |error: BackendError| GuardError::System { action: "the filter of system calls", source: std::io::Error::other(error) };
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        let in_words = format!("no filter of system calls, since there is none for {}", std::env::consts::ARCH);
        return Ok(Held { how: Enforced::Not, in_words });
    };
    let filter =
        SeccompFilter::new(rules(capture).map_err(wrong)?, SeccompAction::Errno(ENOSYS as u32), SeccompAction::Allow, arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(wrong)?;
    Ok(match apply_filter_all_threads(&program) {
        Ok(()) => Held { how: Enforced::Whole, in_words: "a filter of system calls".to_owned() },
        Err(error) => Held { how: Enforced::Not, in_words: format!("no filter of system calls ({error})") },
    })
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
/// What an argument must be: its place, how much of it counts, how it is compared, with what.
type Test = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

fn rules(capture: Capture) -> Result<Rules, BackendError> {
    let always = [FILES, OWN, WAITING, SOCKETS, OLDER].concat();
    let mut rules: Rules = always.into_iter().map(|call| (call, Vec::new())).collect();
    let (write, exec) = (PROT_WRITE as u64, PROT_EXEC as u64);
    let names = [PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_CAPBSET_READ];
    let conditional: [(c_long, Vec<Vec<Test>>); 7] = [
        // Code is never written to while it can be run.
        (SYS_mmap, [0, write, exec].map(|value| vec![bits(2, write | exec, value)]).to_vec()),
        (SYS_mprotect, vec![vec![bits(2, exec, 0)]]),
        // Threads, no processes. (clone3 hides its flags from a filter; without it, this one is used.)
        (SYS_clone, vec![vec![bits(0, (CLONE_THREAD | NAMESPACES) as u64, CLONE_THREAD as u64)]]),
        (SYS_prctl, names.map(|what| vec![equals(0, what)]).to_vec()),
        // Limits are read, not set.
        (SYS_prlimit64, vec![vec![equals(0, 0), (2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)]]),
        // Nothing is typed into a terminal that is shared.
        (SYS_ioctl, vec![vec![differs(1, TIOCSTI), differs(1, TIOCLINUX)]]),
        (SYS_socket, sockets(capture)),
    ];
    for (call, sets) in conditional {
        let sets = sets.into_iter().map(|tests| SeccompRule::new(tests.into_iter().map(condition).collect::<Result<_, _>>()?));
        rules.insert(call, sets.collect::<Result<_, _>>()?);
    }
    Ok(rules)
}

/// Kinds of sockets: streams and datagrams, what the system is asked about its interfaces, packets.
fn sockets(capture: Capture) -> Vec<Vec<Test>> {
    let kinds = [SOCK_STREAM, SOCK_DGRAM].map(|kind| bits(1, KIND, kind as u64));
    let domains = [AF_UNIX, AF_INET, AF_INET6].map(|domain| equals(0, domain));
    let mut allowed: Vec<_> = domains.iter().flat_map(|domain| kinds.clone().map(|kind| vec![domain.clone(), kind])).collect();
    allowed.push(vec![equals(0, AF_NETLINK), equals(2, NETLINK_ROUTE)]);
    if capture == Capture::Live {
        allowed.push(vec![equals(0, AF_PACKET)]);
    }
    allowed
}

const fn bits(place: u8, mask: u64, value: u64) -> Test {
    (place, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

fn equals(place: u8, value: c_int) -> Test {
    (place, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(value.cast_unsigned()))
}

const fn differs(place: u8, value: u64) -> Test {
    (place, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn condition((place, length, compare, value): Test) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, length, compare, value)
}
