//! What happened within an application that is counted over time.

use serde::{Deserialize, Serialize};

use super::Facts;

/// Counts of a flow, or of one segment of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Logins that failed, where the protocol tells.
    pub login_failures: u32,
    /// Files that were created, written to, renamed or deleted on a share.
    pub file_changes: u32,
    /// Different names of which a resolver answers that they do not exist (NXDOMAIN).
    pub names_missing: u32,
}

impl Events {
    pub(super) fn of(facts: &Facts) -> Self {
        Self { login_failures: login_failures(facts), file_changes: file_changes(facts), names_missing: names_missing(facts) }
    }

    /// The most of a kind.
    #[must_use]
    pub fn most(self) -> u32 {
        self.login_failures.max(self.file_changes).max(self.names_missing)
    }

    /// What came since `before`.
    pub const fn since(self, before: Self) -> Self {
        Self {
            login_failures: self.login_failures.saturating_sub(before.login_failures),
            file_changes: self.file_changes.saturating_sub(before.file_changes),
            names_missing: self.names_missing.saturating_sub(before.names_missing),
        }
    }
}

fn login_failures(facts: &Facts) -> u32 {
    match facts {
        Facts::Ftp(ftp) => ftp.login_failure,
        Facts::Kerberos(kerberos) => kerberos.errors.preauth_failed.saturating_add(kerberos.errors.unknown_principal),
        Facts::Ldap(ldap) => ldap.results.invalid_credentials,
        Facts::Mailbox(mailbox) => mailbox.login_failure,
        Facts::Mysql(mysql) => mysql.login_failure.into(),
        Facts::Postgres(postgres) => postgres.login_failure.into(),
        Facts::Sip(sip) => sip.login_failure,
        Facts::Smb(smb) => smb.errors.logon_failure,
        Facts::Smtp(smtp) => smtp.login_failure,
        Facts::Tds(tds) => tds.login_failure,
        _ => 0,
    }
}

fn names_missing(facts: &Facts) -> u32 {
    if let Facts::Dns(dns) = facts { dns.missing_names.count() } else { 0 }
}

fn file_changes(facts: &Facts) -> u32 {
    let Facts::Smb(smb) = facts else { return 0 };
    // What is created or overwritten is written to as a rule; what is not is changed in its place.
    let contents = smb.files_created.saturating_add(smb.files_overwritten).max(smb.files_written.count());
    [smb.commands.rename, smb.commands.delete].into_iter().fold(contents, u32::saturating_add)
}
