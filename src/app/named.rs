//! What of the facts names a device, a person or an organisation, and may have to be replaced. All else is vocabulary: numbers,
//! versions, fingerprints, and words that standards define.

use super::{Certificate, DhcpFacts, DhcpMessage, Facts, StartTls, TlsFacts};
use crate::wire::Addr;

/// How the replacement of a label begins that counts as part of a public suffix, as `co` does in `example.co.uk`.
pub const SHORT_LABEL: &str = "s-";

/// Replaces what names somebody.
pub trait Rename {
    /// An address.
    fn addr(&mut self, addr: &mut Addr);
    /// A MAC address.
    fn mac(&mut self, mac: &mut [u8; 6]);
    /// A name: of a host, a domain, a title, an application, an organisation.
    fn name(&mut self, name: &mut Box<str>);
    /// A text about software, which names nobody but where addresses or names of hosts stand in it.
    fn text(&mut self, text: &mut Box<str>);
    /// A text that people write, such as the greeting of a server, which may name anybody.
    fn greeting(&mut self, text: &mut Box<str>);
}

fn names<'n>(names: impl IntoIterator<Item = &'n mut Box<str>>, to: &mut dyn Rename) {
    names.into_iter().for_each(|name| to.name(name));
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t mut Box<str>>, to: &mut dyn Rename) {
    texts.into_iter().for_each(|text| to.text(text));
}

fn start_tls(tls: &mut StartTls, to: &mut dyn Rename) {
    tls.facts_mut().into_iter().for_each(|tls| tls.rename(to));
}

impl Facts {
    /// Replaces everything in it that names somebody.
    pub fn rename(&mut self, to: &mut dyn Rename) {
        match self {
            Self::Astm(astm) => names(&mut astm.sender, to),
            Self::Dhcp(dhcp) => dhcp.rename(to),
            Self::Dicom(dicom) => {
                names([&mut dicom.calling_ae, &mut dicom.called_ae].into_iter().flatten(), to);
                names(&mut dicom.move_destinations, to);
                let versions = [&mut dicom.requestor, &mut dicom.acceptor].map(|peer| &mut peer.implementation_version);
                texts(versions.into_iter().flatten(), to);
            }
            Self::Dns(dns) => names(&mut dns.first_qname, to),
            Self::Ftp(ftp) => {
                ftp.software.iter_mut().for_each(|text| to.greeting(text));
                start_tls(&mut ftp.tls, to);
            }
            Self::Hl7(hl7) => names([&mut hl7.sending, &mut hl7.receiving].into_iter().flatten(), to),
            Self::Http(http) => {
                names(&mut http.host, to);
                texts([&mut http.user_agent, &mut http.server].into_iter().flatten(), to);
            }
            Self::Kerberos(kerberos) => names(&mut kerberos.realm, to),
            Self::Ldap(ldap) => start_tls(&mut ldap.tls, to),
            Self::Mailbox(mailbox) => {
                mailbox.software.iter_mut().for_each(|text| to.greeting(text));
                start_tls(&mut mailbox.tls, to);
            }
            // Not their texts, but the same for every client, or topic, of the same name.
            Self::Mqtt(mqtt) => names(mqtt.client_id_sha256.iter_mut().chain(mqtt.topics_sha256.iter_mut()), to),
            Self::Mysql(mysql) => {
                texts(&mut mysql.version, to);
                start_tls(&mut mysql.tls, to);
            }
            Self::Nbns(nbns) => names([&mut nbns.name, &mut nbns.group].into_iter().flatten(), to),
            Self::OpcUa(opcua) => names(&mut opcua.endpoint_host, to),
            Self::Postgres(postgres) => {
                texts(&mut postgres.server_version, to);
                start_tls(&mut postgres.tls, to);
            }
            Self::Quic(quic) => names(&mut quic.server_name, to),
            Self::Rdp(rdp) => start_tls(&mut rdp.tls, to),
            Self::Sip(sip) => texts([&mut sip.user_agent, &mut sip.server].into_iter().flatten(), to),
            Self::Smb(smb) => names(&mut smb.ntlm.server, to),
            Self::Smtp(smtp) => {
                smtp.software.iter_mut().for_each(|text| to.greeting(text));
                start_tls(&mut smtp.tls, to);
            }
            Self::Ssh(ssh) => texts([&mut ssh.software_orig, &mut ssh.software_resp].into_iter().flatten(), to),
            Self::Tds(tds) => texts([&mut tds.server_version, &mut tds.client_version].into_iter().flatten(), to),
            Self::Tls(tls) => tls.rename(to),
            Self::Bacnet(_)
            | Self::DceRpc(_)
            | Self::Dnp3(_)
            | Self::Enip(_)
            | Self::Iec104(_)
            | Self::Modbus(_)
            | Self::Ntp(_) => {}
            Self::Poct1a(_) | Self::Radius(_) | Self::Rfb(_) | Self::Rtp(_) | Self::S7(_) | Self::Snmp(_) => {}
            Self::Syslog(_) | Self::Tftp(_) | Self::WsDiscovery(_) => {}
        }
    }
}

impl TlsFacts {
    fn rename(&mut self, to: &mut dyn Rename) {
        names(&mut self.server_name, to);
        if let Some(certificate) = &mut self.certificate {
            let Certificate { subject, san, issuer, not_before: _, not_after: _, self_signed: _ } = &mut **certificate;
            names([subject, issuer].into_iter().flatten().chain(san), to);
        }
    }
}

impl DhcpFacts {
    fn rename(&mut self, to: &mut dyn Rename) {
        self.client_mac.iter_mut().for_each(|mac| to.mac(mac));
        [&mut self.requested_ip, &mut self.assigned_ip, &mut self.server].into_iter().flatten().for_each(|addr| to.addr(addr));
        names([&mut self.host_name, &mut self.domain].into_iter().flatten(), to);
        texts(&mut self.vendor_class, to);
    }
}

impl DhcpMessage {
    /// Replaces everything in it that names somebody.
    pub fn rename(&mut self, to: &mut dyn Rename) {
        self.client_mac.iter_mut().for_each(|mac| to.mac(mac));
        [&mut self.address, &mut self.server].into_iter().flatten().for_each(|addr| to.addr(addr));
        names([&mut self.host_name, &mut self.domain].into_iter().flatten(), to);
        texts(&mut self.vendor_class, to);
    }
}
