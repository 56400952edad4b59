//! The order of devices.

use std::fmt;
use std::sync::Arc;

use crate::feature::Host;
use crate::wire::Addr;

/// In which order devices are clustered and summed up, on which what is learned depends: that of their addresses. Where these are
/// pseudonyms it is that of the addresses that they stand for, so that the same is learned of them.
#[derive(Clone, Default)]
pub struct Order(Option<Arc<dyn Fn(Addr) -> Addr + Send + Sync>>);

impl Order {
    /// That of the addresses that `real` turns pseudonyms into.
    #[must_use]
    pub fn behind(real: impl Fn(Addr) -> Addr + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(real)))
    }

    /// What a device is sorted by.
    #[must_use]
    pub fn key(&self, host: Host) -> Host {
        self.0.as_ref().map_or(host, |real| Host(real(host.0)))
    }
}

/// It is no part of what was learned.
impl PartialEq for Order {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "behind pseudonyms" } else { "of addresses" })
    }
}
