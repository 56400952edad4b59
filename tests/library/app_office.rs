//! Office and Windows protocols of real captures, against tshark.

use auscult::app::{
    App, Basis, DceRpcFacts, DhcpFacts, Facts, FtpFacts, KerberosFacts, LdapFacts, NbnsFacts, NtpFacts, SipFacts, SmbFacts,
    SmtpFacts, SnmpFacts,
};

use crate::office_support::{facts, flows, json, sum, tally};
use crate::wire_support::data_file;

#[test]
#[ignore = "prints what is told of the captures that AUSCULT_FILES names"]
fn print_facts() {
    for file in std::env::var("AUSCULT_FILES").unwrap().lines() {
        println!("== {file}");
        for record in flows(std::path::Path::new(file)) {
            if record.app.1 != Basis::None {
                let facts = record.facts.as_deref().map(json).unwrap_or_default();
                let ends = [(record.orig_addr(), record.orig_port()), (record.resp_addr(), record.resp_port())];
                let [from, to] = ends.map(|(addr, port)| format!("{addr} {port}"));
                println!("{} {from} {to} {} {:?} {facts}", record.key.protocol, record.app.0, record.app.1);
            }
        }
    }
}

const fn smb(facts: &Facts) -> Option<&SmbFacts> {
    match facts {
        Facts::Smb(smb) => Some(smb),
        _ => None,
    }
}

#[test]
fn smb_requests_by_kind_agree_with_tshark() {
    let captures = [
        "pcap-attack/Lateral Movement/LM_psexec_smb_dcerpc_epm_svcctl.pcapng",
        "pcap-attack/Lateral Movement/LM_smbexec_smb_dcerpc_svcctl_epm.pcapng",
        "pcap-attack/Discovery/Discovery_PsLoggedOn_remotelocalusers_enum_winreg_lsarpc_dcerpc_smb.pcapng",
        "pcap-attack/CredAccess/CA_LM_SpoolSample_SMB_BiAuth.pcapng",
    ];
    for name in captures {
        let Some(path) = data_file(name) else { return };
        let Some(want) = tally(&path, "smb2.flags.response == 0", "smb2.cmd") else { return };
        let got = facts(&path, smb);
        // A client may offer version 2 in a message of version 1.
        let offers = tally(&path, "smb.flags.response == 0", "smb.cmd").unwrap().get("0x72").copied().unwrap_or_default();
        let want = |command: &str| want.get(command).copied().unwrap_or_default();
        let kinds = [
            ("0", sum(&got, |smb| smb.commands.negotiate)),
            ("1", sum(&got, |smb| smb.commands.session_setup)),
            ("2", sum(&got, |smb| smb.commands.logoff)),
            ("3", sum(&got, |smb| smb.commands.tree_connect)),
            ("4", sum(&got, |smb| smb.commands.tree_disconnect)),
            ("5", sum(&got, |smb| smb.commands.create)),
            ("6", sum(&got, |smb| smb.commands.close)),
            ("8", sum(&got, |smb| smb.commands.read)),
            ("9", sum(&got, |smb| smb.commands.write)),
            ("11", sum(&got, |smb| smb.commands.ioctl)),
            ("14", sum(&got, |smb| smb.commands.query_directory)),
            ("16", sum(&got, |smb| smb.commands.query_info)),
        ];
        for (command, got) in kinds {
            let offers = if command == "0" { offers } else { 0 };
            assert_eq!(got, want(command) + offers, "{name}: command {command}");
        }
        assert!(want("5") > 0, "{name}");
    }
}

#[test]
fn what_attacks_do_over_smb_is_told() {
    let Some(path) = data_file("pcap-attack/Lateral Movement/LM_psexec_smb_dcerpc_epm_svcctl.pcapng") else { return };
    let got = facts(&path, smb);
    assert!(got.iter().any(|smb| smb.admin_share && smb.write_bytes > 50_000 && smb.dialect.is_some()), "{got:#?}");
    let Some(path) = data_file("pcap-attack/CredAccess/CA_LM_SpoolSample_SMB_BiAuth.pcapng") else { return };
    let spooler = facts(&path, smb).into_iter().find(|smb| smb.named_pipes == ["spoolss"]).unwrap();
    assert_eq!(spooler.dcerpc.as_ref().unwrap().operations, ["spoolss.RemoteFindFirstPrinterChangeNotificationEx"]);
    assert_eq!((spooler.ntlm.challenge, spooler.ntlm.server.is_some(), spooler.signing_required), (1, true, true));
}

fn dcerpc(facts: &Facts) -> Option<&DceRpcFacts> {
    match facts {
        Facts::DceRpc(rpc) => Some(rpc),
        Facts::Smb(smb) => smb.dcerpc.as_deref(),
        _ => None,
    }
}

#[test]
fn remote_calls_by_kind_agree_with_tshark() {
    let captures = [
        "pcap-attack/Lateral Movement/CVE-2020-1472_Zerologon_RPC_NetLogon_NullChallenge_SecChan_6_from_nonDC_to_DC.pcapng",
        "pcap-attack/Lateral Movement/LM_WMI_ProcessCallCreate.pcapng",
        "pcap-attack/Discovery/Discovery_impacket_rpcdump.pcapng",
        "pcap-attack/Discovery/discovery_scan_dcerpc_endpoint_mapper.pcapng",
        "pcap-attack/Discovery/Discovery_privgroups_domain_admins_samr_lookupnames_req.pcapng",
    ];
    for name in captures {
        let Some(path) = data_file(name) else { return };
        let Some(want) = tally(&path, "dcerpc", "dcerpc.pkt_type") else { return };
        let got = facts(&path, dcerpc);
        let want = |kind: &str| want.get(kind).copied().unwrap_or_default();
        assert_eq!(sum(&got, |rpc| rpc.requests), want("0"), "{name}: requests");
        assert_eq!(sum(&got, |rpc| rpc.responses), want("2"), "{name}: responses");
        assert_eq!(sum(&got, |rpc| rpc.faults), want("3"), "{name}: faults");
        assert_eq!(sum(&got, |rpc| rpc.binds), want("11") + want("14"), "{name}: binds");
        assert!(want("0") > 0, "{name}");
    }
}

const fn kerberos(facts: &Facts) -> Option<&KerberosFacts> {
    match facts {
        Facts::Kerberos(kerberos) => Some(kerberos),
        _ => None,
    }
}

#[test]
fn kerberos_messages_and_errors_agree_with_tshark() {
    let captures = [
        "pcap-attack/CredAccess/CA_kerbrute_passwordspray_kerberos_AS-REQ.pcapng",
        "pcap-attack/Lateral Movement/lm_mimikazt_skeleton_kerberos_rc4_etype.pcapng",
    ];
    for name in captures {
        let Some(path) = data_file(name) else { return };
        // Tickets are also shown inside other protocols.
        let Some(kinds) = tally(&path, "tcp.port == 88 || udp.port == 88", "kerberos.msg_type") else { return };
        let errors = tally(&path, "kerberos.msg_type == 30", "kerberos.error_code").unwrap();
        let got = facts(&path, kerberos);
        let kind = |number: &str| kinds.get(number).copied().unwrap_or_default();
        let error = |number: &str| errors.get(number).copied().unwrap_or_default();
        assert_eq!(sum(&got, |flow| flow.messages.as_req), kind("10"), "{name}");
        assert_eq!(sum(&got, |flow| flow.messages.as_rep), kind("11"), "{name}");
        assert_eq!(sum(&got, |flow| flow.messages.tgs_req), kind("12"), "{name}");
        assert_eq!(sum(&got, |flow| flow.messages.tgs_rep), kind("13"), "{name}");
        assert_eq!(sum(&got, |flow| flow.messages.error), kind("30"), "{name}");
        assert_eq!(sum(&got, |flow| flow.errors.unknown_principal), error("6"), "{name}");
        assert_eq!(sum(&got, |flow| flow.errors.preauth_failed), error("24"), "{name}");
        assert_eq!(sum(&got, |flow| flow.errors.preauth_required), error("25"), "{name}");
        assert!(kind("10") > 0, "{name}");
    }
}

const fn ldap(facts: &Facts) -> Option<&LdapFacts> {
    match facts {
        Facts::Ldap(ldap) => Some(ldap),
        _ => None,
    }
}

#[test]
fn ldap_operations_agree_with_tshark() {
    for name in ["ldap_search_umlaut.pcap", "issue-32.pcapng", "gap-data-missing.pcapng"] {
        let Some(path) = data_file(&format!("awkward/zeek__ldap__{name}")) else { return };
        let Some(want) = tally(&path, "ldap", "ldap.protocolOp") else { return };
        let got = facts(&path, ldap);
        let want = |kind: &str| want.get(kind).copied().unwrap_or_default();
        assert_eq!(sum(&got, |flow| flow.operations.bind), want("0"), "{name}: binds");
        assert_eq!(sum(&got, |flow| flow.operations.search), want("3"), "{name}: searches");
        assert_eq!(sum(&got, |flow| flow.operations.search_entry), want("4"), "{name}: entries");
        assert_eq!(sum(&got, |flow| flow.operations.modify), want("6"), "{name}: changes");
        assert!(!got.is_empty(), "{name}");
    }
}

#[test]
fn what_a_login_seals_is_not_read() {
    let Some(path) = data_file("awkward/zeek__ldap__modify-request.pcapng") else { return };
    let got = facts(&path, ldap);
    assert!(matches!(&got[..], [flow] if flow.sealed && flow.operations.modify == 0 && flow.operations.bind == 1), "{got:#?}");
}

const fn dhcp(facts: &Facts) -> Option<&DhcpFacts> {
    match facts {
        Facts::Dhcp(dhcp) => Some(dhcp),
        _ => None,
    }
}

#[test]
fn dhcp_messages_agree_with_tshark() {
    for name in ["iot-lan/iot-lan.pcap.gz", "slips/test-cc-capture-1.pcap", "awkward/wireshark__dhcp-nanosecond.pcap"] {
        let Some(path) = data_file(name) else { return };
        let Some(want) = tally(&path, "dhcp.option.dhcp && !icmp", "dhcp.option.dhcp") else { return };
        let got: Vec<_> = facts(&path, dhcp).into_iter().filter(|flow| !flow.v6).collect();
        let want = |kind: &str| want.get(kind).copied().unwrap_or_default();
        assert_eq!(sum(&got, |flow| flow.messages.discover), want("1"), "{name}: discover");
        assert_eq!(sum(&got, |flow| flow.messages.offer), want("2"), "{name}: offer");
        assert_eq!(sum(&got, |flow| flow.messages.request), want("3"), "{name}: request");
        assert_eq!(sum(&got, |flow| flow.messages.ack), want("5"), "{name}: ack");
    }
}

const fn nbns(facts: &Facts) -> Option<&NbnsFacts> {
    match facts {
        Facts::Nbns(nbns) => Some(nbns),
        _ => None,
    }
}

#[test]
fn names_of_hosts_agree_with_tshark() {
    let Some(path) = data_file("slips/test-cc-capture-1.pcap") else { return };
    let Some(want) = tally(&path, "nbns.flags.response == 0 && !icmp", "nbns.flags.opcode") else { return };
    let got = facts(&path, nbns);
    let want = |kind: &str| want.get(kind).copied().unwrap_or_default();
    assert_eq!(sum(&got, |flow| flow.registrations), want("5") + want("8") + want("9"));
    assert_eq!(sum(&got, |flow| flow.queries + flow.node_status), want("0"));
}

/// Facts of one kind.
macro_rules! pick {
    ($name:ident, $facts:ty, $variant:ident) => {
        const fn $name(facts: &Facts) -> Option<&$facts> {
            match facts {
                Facts::$variant(facts) => Some(facts),
                _ => None,
            }
        }
    };
}

pick!(ntp, NtpFacts, Ntp);
pick!(snmp, SnmpFacts, Snmp);
pick!(sip, SipFacts, Sip);
pick!(smtp, SmtpFacts, Smtp);
pick!(ftp, FtpFacts, Ftp);

#[test]
fn times_and_managements_agree_with_tshark() {
    let Some(path) = data_file("slips/test7-malicious.pcap") else { return };
    let Some(want) = tally(&path, "ntp", "ntp.flags.mode") else { return };
    let got = facts(&path, ntp);
    let of = |mode: &str| want.get(mode).copied().unwrap_or_default();
    assert_eq!((sum(&got, |flow| flow.client), sum(&got, |flow| flow.server)), (of("3"), of("4")));
    assert!(of("3") > 50, "the capture has them");

    let Some(path) = data_file("awkward/arkime__snmpv3_synthetic.pcap") else { return };
    let want = tally(&path, "snmp", "snmp.data").unwrap();
    // tshark gives the kinds of version 3 in another field.
    let got: Vec<_> = facts(&path, snmp).into_iter().filter(|flow| flow.version != Some("3")).collect();
    let of = |kind: &str| want.get(kind).copied().unwrap_or_default();
    let kinds = [
        sum(&got, |flow| flow.get),
        sum(&got, |flow| flow.response),
        sum(&got, |flow| flow.set),
        sum(&got, |flow| flow.get_bulk),
    ];
    assert_eq!(kinds, ["0", "2", "3", "5"].map(of));
}

#[test]
fn calls_agree_with_tshark() {
    for name in ["awkward/wireshark__sip.pcapng", "awkward/arkime__gtp-iphone.pcap"] {
        let Some(path) = data_file(name) else { return };
        let Some(methods) = tally(&path, "sip", "sip.Method") else { return };
        let responses = tally(&path, "sip", "sip.Status-Code").unwrap();
        let got = facts(&path, sip);
        let of = |method: &str| methods.get(method).copied().unwrap_or_default();
        assert_eq!(sum(&got, |flow| flow.methods.invite), of("INVITE"), "{name}");
        assert_eq!(sum(&got, |flow| flow.methods.register), of("REGISTER"), "{name}");
        assert_eq!(sum(&got, |flow| flow.methods.bye), of("BYE"), "{name}");
        let successes: u32 = responses.iter().filter(|(code, _)| code.starts_with('2')).map(|(_, count)| count).sum();
        assert_eq!(sum(&got, |flow| flow.responses.success), successes, "{name}");
    }
    let Some(path) = data_file("awkward/arkime__gtp-iphone.pcap") else { return };
    assert!(flows(&path).iter().any(|record| record.app == (App::Rtp, Basis::Content)), "the call's media");
}

#[test]
fn mails_and_files_agree_with_tshark() {
    for name in ["suricata-verify__smtp-bdat-zero-last-next-mail__input.pcap", "arkime__smtp-subject-encoded-empty.pcap"] {
        let Some(path) = data_file(&format!("awkward/{name}")) else { return };
        let Some(want) = tally(&path, "smtp.req", "smtp.req.command") else { return };
        let got = facts(&path, smtp);
        let is = |name: &str, command: &str| name.eq_ignore_ascii_case(command);
        let of = |command: &str| want.iter().filter(|(name, _)| is(name, command)).map(|(_, count)| count).sum::<u32>();
        assert_eq!(sum(&got, |flow| flow.commands.hello), of("EHLO") + of("HELO"), "{name}");
        assert_eq!(sum(&got, |flow| flow.commands.mail), of("MAIL"), "{name}");
        assert_eq!(sum(&got, |flow| flow.commands.rcpt), of("RCPT"), "{name}");
    }
    for name in ["ftp__ftp-ippair-leak-5204__input.pcap", "firewall__ruletype-firewall-117-ftp-all-data-ipv6__input.pcap"] {
        let Some(path) = data_file(&format!("awkward/suricata-verify__{name}")) else { return };
        let Some(want) = tally(&path, "ftp.request", "ftp.request.command") else { return };
        let logins = tally(&path, "ftp.response", "ftp.response.code").unwrap();
        let got = facts(&path, ftp);
        let of = |command: &str| want.get(command).copied().unwrap_or_default();
        assert_eq!(sum(&got, |flow| flow.commands.user), of("USER"), "{name}");
        assert_eq!(sum(&got, |flow| flow.commands.retrieve), of("RETR"), "{name}");
        assert_eq!(sum(&got, |flow| flow.commands.store), of("STOR") + of("STOU") + of("APPE"), "{name}");
        assert_eq!(sum(&got, |flow| flow.login_success), logins.get("230").copied().unwrap_or_default(), "{name}");
    }
}

#[test]
fn logins_to_a_database() {
    for (name, success) in [("login-fail", false), ("login-no-role", false), ("aws-ssl-disable", true)] {
        let Some(path) = data_file(&format!("awkward/zeek__postgresql__psql-{name}.pcap")) else { return };
        let flows = flows(&path);
        let of_postgres = |record: &auscult::flow::FlowRecord| match record.facts.as_deref() {
            Some(Facts::Postgres(facts)) => Some((facts.login_success, facts.login_failure)),
            _ => None,
        };
        assert_eq!(flows.iter().find_map(|record| of_postgres(record)), Some((success, !success)), "{name}");
    }
}

#[test]
fn applications_keep_their_own_ports() {
    let Some(path) = data_file("pcap-attack/Lateral Movement/LM_rdp_sharprdp.pcapng") else { return };
    assert!(flows(&path).iter().any(|record| record.app == (App::Rdp, Basis::Content)));
}
