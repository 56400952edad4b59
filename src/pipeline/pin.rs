//! Cores that threads are held to.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Holds this thread to the core that is its turn's. What the system refuses is left as it is: a thread that wanders is slower and no worse.
pub fn hold_to(cores: &[usize], turn: usize) {
    if let Some(&core) = cores.get(turn % cores.len().max(1)) {
        let mut set = CpuSet::new();
        set.set(core);
        let _ = sched_setaffinity(None, &set);
    }
}

/// The cores that this process may use; none where the system does not tell.
#[must_use]
pub fn usable_cores() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_take_their_cores_in_turn() {
        let usable = usable_cores();
        let held = |turn| {
            let usable = usable.clone();
            let thread = std::thread::spawn(move || {
                hold_to(&usable, turn);
                usable_cores()
            });
            thread.join().unwrap()
        };
        for turn in 0..=usable.len() {
            assert_eq!(held(turn), [usable[turn % usable.len()]]);
        }
    }

    #[test]
    fn without_cores_nothing_is_held() {
        let usable = usable_cores();
        hold_to(&[], 3);
        assert_eq!(usable_cores(), usable);
    }
}
