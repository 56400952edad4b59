//! User, groups and capabilities(7).

use std::ffi::CString;

use nix::unistd::{self, Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, remove_capability_from_bounding_set,
    set_capabilities, set_keep_capabilities,
};

use super::GuardError;

/// Which capabilities stay, of those that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// None.
    Nothing,
    /// CAP_NET_RAW: to open an interface, also when it comes back.
    Capture,
}

impl Keep {
    /// Root without CAP_DAC_OVERRIDE could not write into a folder that is another user's, as it does now.
    fn set(self) -> CapabilitySet {
        let capture = if self == Self::Capture { CapabilitySet::NET_RAW } else { CapabilitySet::empty() };
        if is_root() { capture | CapabilitySet::DAC_OVERRIDE } else { capture }
    }
}

/// A user of this system.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl User {
    /// Looks a user up; none where there is none of this name.
    ///
    /// # Errors
    /// When the system's users cannot be read.
    pub fn named(name: &str) -> Result<Option<Self>, GuardError> {
        let found = unistd::User::from_name(name).map_err(GuardError::system("looking a user up"))?;
        Ok(found.map(|user| Self { name: user.name, uid: user.uid, gid: user.gid }))
    }

    /// The same, where there has to be one.
    ///
    /// # Errors
    /// As [`User::named`], and where there is none.
    pub fn known(name: &str) -> Result<Self, GuardError> {
        Self::named(name)?.ok_or_else(|| GuardError::NoSuchUser(name.to_owned()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Is the process this user's already?
    #[must_use]
    pub fn is_this(&self) -> bool {
        unistd::geteuid() == self.uid
    }

    /// Is it root?
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.uid.is_root()
    }

    /// Lets the process, which root has started, be this user's for good: real, effective and saved user and group, and the groups that
    /// the user is in. Capabilities outlast it and are given up by [`keep_only`].
    ///
    /// # Errors
    /// When the system refuses; then the process should not go on.
    pub fn take_over(&self) -> Result<(), GuardError> {
        let name = CString::new(self.name.as_str()).map_err(GuardError::system("a user's name"))?;
        set_keep_capabilities(true).map_err(GuardError::system("keeping capabilities"))?;
        unistd::initgroups(&name, self.gid).map_err(GuardError::system("taking the user's groups"))?;
        unistd::setresgid(self.gid, self.gid, self.gid).map_err(GuardError::system("taking the user's group"))?;
        unistd::setresuid(self.uid, self.uid, self.uid).map_err(GuardError::system("becoming the user"))?;
        set_keep_capabilities(false).map_err(GuardError::system("keeping capabilities"))
    }
}

/// Does the process run as root?
#[must_use]
pub fn is_root() -> bool {
    unistd::geteuid().is_root()
}

/// Who the process runs as: a name, or a number that has none.
#[must_use]
pub fn runs_as() -> String {
    let uid = unistd::geteuid();
    unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Gives up all capabilities but these, having become `user` where one is named. Nothing is gained: what was not there does not come. Where
/// it may, it also empties the set of those that a program started later could have.
///
/// # Errors
/// When the system refuses; then the process should not go on.
pub fn keep_only(keep: Keep, user: Option<&User>) -> Result<(), GuardError> {
    let now = || capabilities(None).map_err(GuardError::system("reading capabilities"));
    if now()?.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            // The kernel may not know all of them.
            if capability_is_in_bounding_set(capability).unwrap_or(false) {
                remove_capability_from_bounding_set(capability).map_err(GuardError::system("bounding capabilities"))?;
            }
        }
    }
    user.map_or(Ok(()), User::take_over)?;
    let (is, keep) = (now()?, keep.set());
    // A service may be forbidden the call, and needs none where its manager gave it no more.
    if keep.contains(is.permitted | is.effective) {
        return Ok(());
    }
    let held = is.permitted & keep;
    let sets = CapabilitySets { effective: held, permitted: held, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(GuardError::system("giving up capabilities"))
}
