//! Office and Windows protocols of real captures, against tshark.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod office_support;
mod wire_support;

use auscult::app::{App, Basis, DceRpcFacts, DhcpFacts, Facts, KerberosFacts, LdapFacts, NbnsFacts, SmbFacts};
use office_support::{facts, flows, json, sum, tally};
use wire_support::data_file;

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
    assert_eq!(spooler.dcerpc.operations, ["spoolss.RemoteFindFirstPrinterChangeNotificationEx"]);
    assert_eq!((spooler.ntlm.challenge, spooler.ntlm.server.is_some(), spooler.signing_required), (1, true, true));
}

const fn dcerpc(facts: &Facts) -> Option<&DceRpcFacts> {
    match facts {
        Facts::DceRpc(rpc) => Some(rpc),
        Facts::Smb(smb) => Some(&smb.dcerpc),
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

#[test]
fn applications_keep_their_own_ports() {
    let Some(path) = data_file("pcap-attack/Lateral Movement/LM_rdp_sharprdp.pcapng") else { return };
    assert!(flows(&path).iter().any(|record| record.app == (App::Rdp, Basis::Content)));
}
