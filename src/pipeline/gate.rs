//! Holds workers back when what they have told piles up before the consumer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Records that may wait for the consumer before workers are held back (some 1.3 KB each).
const MOST_WAITING: usize = 1 << 14;
/// Ticks that a worker may always be ahead of the consumer, however many records they hold. With less than one, workers
/// would wait for one another.
const TICKS_AHEAD: usize = 2;
/// Bytes of packets that may wait for the consumer before the reader is held back.
const MOST_PACKET_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
struct State {
    /// Records told and not handed on.
    waiting: usize,
    /// Ticks handed on.
    handed: usize,
    /// Bytes of packets told and not handed on.
    packet_bytes: usize,
    /// Nobody hands on any more.
    closed: bool,
}

/// Bounds the memory of what is between the workers and the consumer.
///
/// It cannot lock up. The worker that has told the fewest ticks never waits for long: all others have told as many, so its own
/// are handed on. And no worker lacks packets because another waits: the reader gives out the ticks of a block to all workers
/// before it reads the next, so whoever is ahead by a tick is so over workers that have that tick in their queue.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    moved: Condvar,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker that has told `told` ticks wants to tell these records.
    pub(super) fn pass(&self, told: usize, records: usize) {
        let too_much =
            |state: &mut State| !state.closed && state.waiting > MOST_WAITING && told.saturating_sub(state.handed) >= TICKS_AHEAD;
        let mut state = self.moved.wait_while(self.lock(), too_much).unwrap_or_else(PoisonError::into_inner);
        state.waiting += records;
    }

    /// The reader wants to tell packets of so many bytes. It is held back only by what it told before, which all workers have in
    /// their queues by now: they go on without it.
    pub(super) fn pass_packets(&self, bytes: usize) {
        let too_much = |state: &mut State| !state.closed && state.packet_bytes > MOST_PACKET_BYTES;
        let mut state = self.moved.wait_while(self.lock(), too_much).unwrap_or_else(PoisonError::into_inner);
        state.packet_bytes += bytes;
    }

    /// A tick with these records, and packets of so many bytes, was handed on.
    pub(super) fn handed_on(&self, records: usize, packet_bytes: usize) {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(records);
        state.packet_bytes = state.packet_bytes.saturating_sub(packet_bytes);
        state.handed += 1;
        drop(state);
        self.moved.notify_all();
    }

    /// Lets everybody pass from now on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_ahead_waits_and_only_for_many_records() {
        let gate = Gate::default();
        gate.pass(0, MOST_WAITING);
        gate.pass(9, 1);
        // Now there are too many, yet nobody waits who is less than two ticks ahead.
        gate.pass(1, 0);
        std::thread::scope(|scope| {
            let ahead = scope.spawn(|| gate.pass(2, 0));
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!ahead.is_finished());
            gate.handed_on(0, 0);
            ahead.join().unwrap();
        });
        gate.close();
        gate.pass(100, 0);
    }

    #[test]
    fn the_reader_waits_only_while_packets_wait() {
        let gate = Gate::default();
        gate.pass_packets(MOST_PACKET_BYTES + 1);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| gate.pass_packets(1));
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!reader.is_finished());
            gate.handed_on(0, MOST_PACKET_BYTES + 1);
            reader.join().unwrap();
        });
        gate.pass_packets(MOST_PACKET_BYTES);
        gate.close();
        gate.pass_packets(1);
    }
}
