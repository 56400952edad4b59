//! Where a shard writes its records.

use super::FlowRecord;

/// Takes records as they are written.
pub trait Records {
    /// Takes one more.
    fn add(&mut self, record: FlowRecord);
}

impl Records for Vec<Box<FlowRecord>> {
    fn add(&mut self, record: FlowRecord) {
        self.push(Box::new(record));
    }
}
