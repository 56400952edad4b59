//! What happened within an application that is counted over time.

use serde::{Deserialize, Serialize};

use super::{Accounts, Facts};

/// Counts of a flow, or of one segment of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Logins that failed, where the protocol tells, or its lengths do.
    pub login_failures: u32,
    /// Files that were created, written to, renamed or deleted on a share.
    pub file_changes: u32,
    /// Different names of which a resolver answers that they do not exist (NXDOMAIN).
    pub names_missing: u32,
    /// Requests, other than log-ins, that the other side turned down.
    pub refusals: u32,
    /// Accounts of log-ins.
    pub accounts: Accounts,
}

impl Events {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            login_failures: login_failures(facts),
            file_changes: file_changes(facts),
            names_missing: names_missing(facts),
            refusals: refusals(facts),
            accounts: accounts(facts),
        }
    }

    /// The most of a kind.
    #[must_use]
    pub fn most(self) -> u32 {
        self.login_failures.max(self.file_changes).max(self.names_missing).max(self.refusals)
    }

    /// What came since `before`.
    pub const fn since(self, before: Self) -> Self {
        Self {
            login_failures: self.login_failures.saturating_sub(before.login_failures),
            file_changes: self.file_changes.saturating_sub(before.file_changes),
            names_missing: self.names_missing.saturating_sub(before.names_missing),
            refusals: self.refusals.saturating_sub(before.refusals),
            accounts: self.accounts.since(before.accounts),
        }
    }
}

fn login_failures(facts: &Facts) -> u32 {
    match facts {
        Facts::Ftp(ftp) => ftp.login_failure,
        Facts::Http(http) => http.login_failed.into(),
        Facts::Kerberos(kerberos) => kerberos.errors.preauth_failed.saturating_add(kerberos.errors.unknown_principal),
        Facts::Ldap(ldap) => ldap.results.invalid_credentials,
        Facts::Mailbox(mailbox) => mailbox.login_failure,
        Facts::Mysql(mysql) => mysql.login_failure.into(),
        Facts::Postgres(postgres) => postgres.login_failure.into(),
        Facts::Radius(radius) => radius.access_reject,
        Facts::Sip(sip) => sip.login_failure,
        Facts::Smb(smb) => smb.errors.logon_failure,
        Facts::Smtp(smtp) => smtp.login_failure,
        Facts::Ssh(ssh) => ssh.login_failure,
        Facts::Tds(tds) => tds.login_failure,
        _ => 0,
    }
}

/// A server of RADIUS is asked for all that log in elsewhere: that many are turned down tells of none.
fn accounts(facts: &Facts) -> Accounts {
    match facts {
        Facts::Ftp(ftp) => ftp.logins.accounts,
        Facts::Http(http) => http.logins.accounts,
        Facts::Kerberos(kerberos) => kerberos.logins.accounts,
        Facts::Ldap(ldap) => ldap.logins.accounts,
        Facts::Mailbox(mailbox) => mailbox.logins.accounts,
        Facts::Mysql(mysql) => mysql.logins.accounts,
        Facts::Postgres(postgres) => postgres.logins.accounts,
        Facts::Sip(sip) => sip.logins.accounts,
        Facts::Smb(smb) => smb.ntlm.logins.accounts,
        Facts::Smtp(smtp) => smtp.logins.accounts,
        Facts::Tds(tds) => tds.asks.accounts,
        _ => Accounts::default(),
    }
}

fn names_missing(facts: &Facts) -> u32 {
    if let Facts::Dns(dns) = facts { dns.missing_names.count() } else { 0 }
}

/// Of devices that are controlled and care for patients, and of services where users, mailboxes and files are looked for. Managers of networks (SNMP) walk
/// on until they are turned down.
fn refusals(facts: &Facts) -> u32 {
    match facts {
        Facts::Bacnet(bacnet) => bacnet.errors,
        Facts::Dicom(dicom) => dicom.rejected.saturating_add(dicom.status.failure),
        Facts::Enip(enip) => enip.errors.saturating_add(enip.cip_errors),
        Facts::Ftp(ftp) => ftp.errors,
        Facts::Hl7(hl7) => {
            [hl7.ack_codes.ar, hl7.ack_codes.ce, hl7.ack_codes.cr].into_iter().fold(hl7.ack_codes.ae, u32::saturating_add)
        }
        Facts::Iec104(iec104) => iec104.refused,
        Facts::Modbus(modbus) => modbus.exceptions,
        Facts::OpcUa(opcua) => opcua.error,
        Facts::S7(s7) => s7.errors,
        Facts::Sip(sip) => sip.refused,
        Facts::Smtp(smtp) => smtp.rejected,
        _ => 0,
    }
}

fn file_changes(facts: &Facts) -> u32 {
    let Facts::Smb(smb) = facts else { return 0 };
    // What is created or overwritten is written to as a rule; what is not is changed in its place.
    let contents = smb.files_created.saturating_add(smb.files_overwritten).max(smb.files_written.count());
    [smb.commands.rename, smb.commands.delete].into_iter().fold(contents, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::super::{BacnetFacts, DicomFacts, ModbusFacts, RadiusFacts, SipFacts, SnmpFacts};
    use super::*;

    #[test]
    fn access_that_is_refused_is_a_log_in_that_failed() {
        let radius = RadiusFacts { access_request: 9, access_reject: 4, access_challenge: 5, ..RadiusFacts::default() };
        assert_eq!(Events::of(&Facts::Radius(radius)), Events { login_failures: 4, ..Events::default() });
    }

    #[test]
    fn what_is_turned_down_is_counted_but_not_what_is_walked_through() {
        let mut sip = SipFacts { refused: 3, ..SipFacts::default() };
        (sip.responses.client_error, sip.responses.unauthorized) = (7, 9);
        let mut dicom = DicomFacts { rejected: 2, ..DicomFacts::default() };
        dicom.status.failure = 4;
        let told = [
            (Facts::Modbus(ModbusFacts { exceptions: 7, responses: 90, ..ModbusFacts::default() }), 7),
            (Facts::Bacnet(BacnetFacts { errors: 1, ..BacnetFacts::default() }), 1),
            (Facts::Dicom(Box::new(dicom)), 6),
            (Facts::Sip(sip), 3),
            (Facts::Snmp(SnmpFacts { errors: 50, ..SnmpFacts::default() }), 0),
        ];
        for (facts, refusals) in told {
            assert_eq!(Events::of(&facts), Events { refusals, ..Events::default() });
        }
        let (before, after) = (Events { refusals: 3, ..Events::default() }, Events { refusals: 10, ..Events::default() });
        assert_eq!((after.since(before).refusals, after.most()), (7, 10));
    }
}
