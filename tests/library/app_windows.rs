//! What is kept of conversations in Windows' protocols, made by hand: SMB, Kerberos, LDAP.

use Side::{Orig, Resp};
use auscult::app::{App, AppState, Basis, Facts, KerberosFacts, LdapFacts, Side, SmbFacts};

use crate::app_support::{after, alone, facts, tcp, udp};

pub fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub fn netbios(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// A message of SMB 2 without its length.
pub fn smb2(command: u16, flags: u32, status: u32, body: &[u8]) -> Vec<u8> {
    let head = [&[0xfe, b'S', b'M', b'B', 64, 0, 1, 0][..], &status.to_le_bytes(), &command.to_le_bytes(), &[1, 0]].concat();
    [&head[..], &flags.to_le_bytes(), &[0; 16], &5_u32.to_le_bytes(), &[0; 24], body].concat()
}

/// Several messages as one, each padded to eight bytes.
fn compound(messages: &[Vec<u8>]) -> Vec<u8> {
    let last = messages.len() - 1;
    let pad = |(place, message): (usize, &Vec<u8>)| {
        let mut message = message.clone();
        if place < last {
            message.resize(message.len().next_multiple_of(8), 0);
            let next = (message.len() as u32).to_le_bytes();
            message[20..24].copy_from_slice(&next);
        }
        message
    };
    messages.iter().enumerate().flat_map(pad).collect()
}

fn negotiated(dialect: u16, security: u8) -> Vec<u8> {
    smb2(0, 1, 0, &[&[65, 0, security, 0][..], &dialect.to_le_bytes(), &[0; 58]].concat())
}

fn tree_connect(path: &str) -> Vec<u8> {
    let path = wide(path);
    smb2(3, 0, 0, &[&[9, 0, 0, 0, 72, 0][..], &(path.len() as u16).to_le_bytes(), &path].concat())
}

fn create(name: &str, options: u32) -> Vec<u8> {
    let name = wide(name);
    let names = [&[120, 0][..], &(name.len() as u16).to_le_bytes(), &[0; 8], &name].concat();
    smb2(5, 0, 0, &[&[57, 0][..], &[0; 34], &[2, 0, 0, 0], &options.to_le_bytes(), &names].concat())
}

/// The same with this access.
fn open(name: &str, access: u32) -> Vec<u8> {
    let mut message = create(name, 0);
    message[64 + 24..64 + 28].copy_from_slice(&access.to_le_bytes());
    message
}

/// Another name for an open file.
fn rename(name: &str) -> Vec<u8> {
    let name = wide(name);
    let to = [&[0; 16][..], &(name.len() as u32).to_le_bytes(), &name].concat();
    let head = [&[33, 0, 1, 10][..], &(to.len() as u32).to_le_bytes(), &[96, 0], &[0; 22]].concat();
    smb2(17, 0, 0, &[&head[..], &to].concat())
}

fn created(action: u32, status: u32) -> Vec<u8> {
    smb2(5, 1, status, &[&[89, 0, 0, 0][..], &action.to_le_bytes(), &[0; 80]].concat())
}

fn write(handle: u8, bytes: &[u8]) -> Vec<u8> {
    let head = [&[49, 0, 112, 0][..], &(bytes.len() as u32).to_le_bytes(), &[0; 8], &[handle; 16], &[0; 16]].concat();
    smb2(9, 0, 0, &[&head[..], bytes].concat())
}

fn set_info(class: u8) -> Vec<u8> {
    smb2(17, 0, 0, &[&[33, 0, 1, class, 8, 0, 0, 0, 96, 0][..], &[0; 30]].concat())
}

/// What a client asks that encrypts the files of a share, and what it is told.
fn ransom() -> (Vec<u8>, Vec<u8>) {
    let files = (0..20).flat_map(|file| {
        let name = format!("ward\\patient {file}.docx");
        [
            netbios(&create(&name, 0)),
            netbios(&write(file, &[0xaa; 300])),
            netbios(&set_info(10)),
            netbios(&smb2(6, 0, 0, &[24, 0])),
        ]
    });
    let asks = [netbios(&tree_connect("\\\\FILES1\\Wards")), netbios(&tree_connect("\\\\files1\\C$"))];
    let asks: Vec<Vec<u8>> =
        asks.into_iter().chain(files).chain([netbios(&create("svcctl", 0)), netbios(&set_info(13))]).collect();
    let told: Vec<Vec<u8>> =
        [netbios(&negotiated(0x0311, 3))].into_iter().chain((0..20).map(|_| netbios(&created(3, 0)))).collect();
    (asks.concat(), told.concat())
}

#[test]
fn files_that_are_changed_in_their_place_are_counted_by_what_is_written_to() {
    let changes = |asks: &[u8]| after(tcp(445), &[(Orig, asks)]).events().file_changes;
    let asks: Vec<Vec<u8>> = (0..120).map(|turn| netbios(&write(turn % 40, &[0xaa; 300]))).collect();
    let counted = changes(&asks.concat());
    assert!((36..=44).contains(&counted), "{counted}");
    let call = [&[5, 0, 0, 3, 16, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0][..], &[0; 8]].concat();
    assert_eq!(changes(&netbios(&write(1, &call))), 0, "what goes through a pipe is no file");
}

#[test]
fn an_ending_behind_a_name_is_counted_where_it_is_none_of_those_that_people_use() {
    let appended = |names: &[&str], to: &str| {
        let asks: Vec<Vec<u8>> = names.iter().map(|name| create(name, 0)).chain([rename(to)]).map(|ask| netbios(&ask)).collect();
        smb(&after(tcp(445), &[(Orig, &asks.concat())])).endings_appended
    };
    let file = "ward\\List.docx";
    assert_eq!(appended(&[file], "ward\\list.docx.k5bl0ck"), 1);
    assert_eq!(appended(&[file, "a.txt", "b.txt"], "ward\\list.docx.enc"), 1, "others are open, too");
    for to in ["ward\\list.docx.bak", "ward\\list.docx.1", "ward\\list.pdf", "ward\\new.docx", "list.docx.enc", "ward\\list"] {
        assert_eq!(appended(&[file], to), 0, "{to}");
    }
    assert_eq!(appended(&["~wrd0001.tmp"], "list.docx"), 0, "saved");
}

#[test]
fn policies_of_a_domain_that_are_opened_to_be_changed_are_counted() {
    let changed = |name: &str, access: u32| {
        let asks = [tree_connect("\\\\dc1\\SYSVOL"), open(name, access)].map(|ask| netbios(&ask)).concat();
        smb(&after(tcp(445), &[(Orig, &asks)])).policies_changed
    };
    let policy = "hospital.example\\Policies\\{6AC1786C-016F-11D2-945F-00C04FB984F9}\\gpt.ini";
    assert_eq!([changed(policy, 0x12_019f), changed(policy, 0x12_0089)], [1, 0], "written to, and read");
    assert_eq!(changed("hospital.example\\scripts\\logon.cmd", 0x4000_0000), 1);
    assert_eq!(changed("ward\\Policies\\visits.docx", 0x12_019f) + changed("hospital.example\\Policies", 0x12_019f), 0);
}

fn smb(state: &AppState) -> &SmbFacts {
    let Facts::Smb(smb) = facts(state) else { panic!("no SMB") };
    smb
}

#[test]
fn files_that_are_written_and_renamed_are_counted_and_not_named() {
    let (asks, told) = ransom();
    let state = after(tcp(445), &[(Orig, &asks), (Resp, &told)]);
    let smb = smb(&state);
    let commands = &smb.commands;
    assert_eq!((commands.tree_connect, commands.create, commands.write, commands.rename), (2, 21, 20, 20));
    assert_eq!((commands.close, commands.delete, smb.write_bytes, smb.files_overwritten), (20, 1, 6000, 20));
    assert_eq!((smb.shares.count(), smb.files.count(), &smb.named_pipes[..]), (2, 20, &["svcctl"][..]));
    assert!(smb.drive_share && !smb.admin_share && !smb.ipc_share && smb.signing_required);
    assert_eq!(smb.dialect, Some("3.1.1"));
    let kept = serde_json::to_string(smb).unwrap().to_lowercase();
    for name in ["patient", "wards", "files1", "docx"] {
        assert!(!kept.contains(name), "{name} in {kept}");
    }
}

#[test]
fn the_same_wherever_the_stream_is_cut() {
    let (asks, told) = ransom();
    let whole = after(tcp(445), &[(Orig, &asks), (Resp, &told)]);
    // The application has to be told from the first payload.
    for cut in (9..asks.len()).step_by(7) {
        let state = after(tcp(445), &[(Orig, &asks[..cut]), (Orig, &asks[cut..]), (Resp, &told)]);
        assert_eq!(smb(&state), smb(&whole), "cut at {cut}");
    }
    for cut in 9..asks.len().min(2000) {
        let state = after(tcp(445), &[(Orig, &asks[..cut])]);
        assert!(smb(&state).commands.create <= smb(&whole).commands.create, "cut at {cut}");
    }
}

#[test]
fn compounds_errors_and_encryption() {
    let chain = compound(&[create("a", 0x1000), smb2(16, 4, 0, &[41, 0]), smb2(6, 4, 0, &[24, 0])]);
    let errors = [0xc000_0022, 0xc000_006d, 0xc000_0034, 0xc000_0016, 0x8000_0006, 0xc000_00bb];
    let errors: Vec<u8> = errors.iter().flat_map(|status| netbios(&smb2(1, 1, *status, &[9, 0]))).collect();
    let sealed = netbios(&[&[0xfd, b'S', b'M', b'B'][..], &[7; 80]].concat());
    let state = after(tcp(445), &[(Orig, &netbios(&chain)), (Resp, &errors), (Resp, &sealed)]);
    let smb = smb(&state);
    assert_eq!((smb.commands.create, smb.commands.query_info, smb.commands.close, smb.commands.delete), (1, 1, 1, 1));
    let errors = &smb.errors;
    assert_eq!((errors.access_denied, errors.logon_failure, errors.not_found, errors.other), (1, 1, 1, 1));
    assert!(smb.encrypted && !smb.compressed);
}

#[test]
fn version_1_with_a_chain() {
    let head = |command: u8, flags: u8| {
        [&[0xff, b'S', b'M', b'B', command, 0, 0, 0, 0, flags, 0, 0xc0][..], &[0; 12], &[3, 0, 0, 0, 0, 0, 0, 0]].concat()
    };
    // A login, and the share behind it at 32 + 1 + 26 + 2 = 61 bytes; its path starts at 73, so that a byte stands before it.
    let login = [&[13, 0x75, 0, 61, 0][..], &[0; 22], &[0, 0]].concat();
    let path = [&[0][..], &wide("\\\\PACS\\IPC$"), &[0, 0], b"?????\0"].concat();
    let share = [&[4, 0xff, 0, 0, 0, 0, 0, 1, 0][..], &(path.len() as u16).to_le_bytes(), &[0], &path].concat();
    let first = netbios(&[head(0x73, 0), login, share].concat());
    let name = [&[0][..], &wide("\\lsarpc"), &[0, 0]].concat();
    let words = [&[24, 0xff, 0, 0, 0, 0, 16, 0][..], &[0; 41], &(name.len() as u16).to_le_bytes()].concat();
    let second = netbios(&[head(0xa2, 0), words, name].concat());
    let denied = netbios(&[&[0xff, b'S', b'M', b'B', 0xa2, 0x22, 0, 0, 0xc0, 0x80, 0, 0xc0][..], &[0; 20], &[0, 0, 0]].concat());
    let state = after(tcp(139), &[(Orig, &first), (Orig, &second), (Resp, &denied)]);
    let smb = smb(&state);
    assert_eq!((smb.commands.session_setup, smb.commands.tree_connect, smb.commands.create), (1, 1, 1));
    assert_eq!((smb.ipc_share, &smb.named_pipes[..], smb.errors.access_denied), (true, &["lsarpc"][..], 1));
}

/// A value of ASN.1.
pub fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = if body.len() < 128 { vec![body.len() as u8] } else { vec![0x82, (body.len() >> 8) as u8, body.len() as u8] };
    [&[tag][..], &length, &body].concat()
}

pub fn int(value: u8) -> Vec<u8> {
    der(2, &[&[value]])
}

/// A request for a ticket of a service: what it offers, and its proof.
fn kdc_request(kind: u8, service: &str, etypes: &[u8], proof: u8) -> Vec<u8> {
    let padata = der(0xa3, &[&der(0x30, &[&der(0x30, &[&der(0xa1, &[&int(proof)]), &der(0xa2, &[&der(4, &[&[7; 200]])])])])]);
    let name = |parts: &[&str]| {
        let parts: Vec<u8> = parts.iter().flat_map(|part| der(0x1b, &[part.as_bytes()])).collect();
        der(0x30, &[&der(0xa0, &[&int(2)]), &der(0xa1, &[&der(0x30, &[&parts])])])
    };
    let etypes: Vec<u8> = etypes.iter().flat_map(|etype| int(*etype)).collect();
    let body = der(
        0x30,
        &[
            &der(0xa0, &[&der(3, &[&[0, 0x40, 0, 0, 0]])]),
            &der(0xa1, &[&name(&["smith"])]),
            &der(0xa2, &[&der(0x1b, &[b"WARD.EXAMPLE"])]),
            &der(0xa3, &[&name(&[service, "pacs01.ward.example"])]),
            &der(0xa7, &[&int(9)]),
            &der(0xa8, &[&der(0x30, &[&etypes])]),
        ],
    );
    let number = if kind == 0x6a { 10 } else { 12 };
    der(kind, &[&der(0x30, &[&der(0xa1, &[&int(5)]), &der(0xa2, &[&int(number)]), &padata, &der(0xa4, &[&body])])])
}

/// An answer: what its ticket and its own part are sealed with.
fn kdc_answer(kind: u8, etype: u8, own: u8) -> Vec<u8> {
    let sealed =
        |tag: u8, etype: u8| der(tag, &[&der(0x30, &[&der(0xa0, &[&int(etype)]), &der(0xa2, &[&der(4, &[&[9; 150]])])])]);
    let (sealed, own) = (sealed(0xa3, etype), sealed(0xa6, own));
    let ticket = der(0x61, &[&der(0x30, &[&der(0xa0, &[&int(5)]), &der(0xa1, &[&der(0x1b, &[b"WARD.EXAMPLE"])]), &sealed])]);
    let fields = [&der(0xa0, &[&int(5)])[..], &der(0xa1, &[&int(11)]), &der(0xa5, &[&ticket]), &own].concat();
    der(kind, &[&der(0x30, &[&fields])])
}

pub fn kdc_error(code: u8) -> Vec<u8> {
    let fields = [&der(0xa0, &[&int(5)])[..], &der(0xa1, &[&int(30)]), &der(0xa6, &[&int(code)])].concat();
    der(0x7e, &[&der(0x30, &[&fields])])
}

fn kerberos(state: &AppState) -> &KerberosFacts {
    let Facts::Kerberos(kerberos) = facts(state) else { panic!("no Kerberos") };
    kerberos
}

#[test]
fn tickets_and_refusals_over_udp() {
    let weak = kdc_request(0x6c, "MSSQLSvc", &[23], 1);
    let state = after(
        udp(88),
        &[
            (Orig, &kdc_request(0x6a, "krbtgt", &[18, 17, 23], 128)),
            (Resp, &kdc_error(25)),
            (Orig, &kdc_request(0x6a, "krbtgt", &[18, 17, 23], 2)),
            (Resp, &kdc_error(24)),
            (Orig, &weak),
            (Resp, &kdc_answer(0x6d, 23, 18)),
            (Orig, &kdc_request(0x6c, "own-service", &[18], 1)),
            (Resp, &kdc_error(7)),
            (Resp, &kdc_error(6)),
            (Resp, &kdc_error(18)),
            (Resp, &kdc_error(37)),
        ],
    );
    let got = kerberos(&state);
    assert_eq!((got.messages.as_req, got.messages.tgs_req, got.messages.tgs_rep, got.messages.error), (2, 2, 1, 6));
    let errors = &got.errors;
    assert_eq!((errors.preauth_required, errors.preauth_failed, errors.unknown_principal), (1, 1, 1));
    assert_eq!((errors.unknown_service, errors.revoked, errors.other), (1, 1, 1));
    assert_eq!((got.realm.as_deref(), &got.etypes[..]), (Some("WARD.EXAMPLE"), &["aes256", "aes128", "rc4"][..]));
    assert_eq!((got.rc4_only_requests, got.weak_tickets, got.preauthenticated), (1, 1, 1));
    assert_eq!(got.services, ["krbtgt", "mssqlsvc", "other"]);
    let kept = serde_json::to_string(got).unwrap();
    assert!(!kept.contains("smith") && !kept.contains("pacs01") && !kept.contains("own-service"), "{kept}");
}

#[test]
fn answers_that_a_password_seals_weakly_are_counted() {
    let weak = |kind: u8, etype: u8, own: u8| {
        let state =
            after(udp(88), &[(Orig, &kdc_request(kind - 1, "krbtgt", &[18, 23], 2)), (Resp, &kdc_answer(kind, etype, own))]);
        kerberos(&state).weak_tickets
    };
    // A client's own part is sealed with its password in a first answer, with the key of its session in any other.
    assert_eq!([weak(0x6b, 18, 18), weak(0x6b, 18, 23), weak(0x6d, 18, 23), weak(0x6d, 16, 18)], [0, 1, 0, 1]);
}

#[test]
fn kerberos_over_tcp_wherever_it_is_cut() {
    let message = kdc_request(0x6c, "cifs", &[18, 23], 1);
    let stream = [netbios(&message), netbios(&message)].concat();
    let whole = after(tcp(88), &[(Orig, &stream)]);
    assert_eq!((kerberos(&whole).messages.tgs_req, &kerberos(&whole).services[..]), (2, &["cifs"][..]));
    for cut in 20..stream.len() {
        let state = after(tcp(88), &[(Orig, &stream[..cut]), (Orig, &stream[cut..])]);
        assert_eq!(kerberos(&state), kerberos(&whole), "cut at {cut}");
    }
    for cut in 0..message.len() {
        let state = after(udp(88), &[(Orig, &message[..cut])]);
        assert!(state.facts().is_none_or(|_| kerberos(&state).services.iter().all(|name| ["cifs", "other"].contains(name))));
    }
}

pub fn ldap_message(operation: &[u8]) -> Vec<u8> {
    der(0x30, &[&int(7), operation])
}

#[test]
fn ldap_logins_searches_and_results() {
    let simple = der(0x60, &[&int(3), &der(4, &[b"cn=smith,dc=ward"]), &der(0x80, &[b"s3cret"])]);
    let sasl = der(0x60, &[&int(3), &der(4, &[]), &der(0xa3, &[&der(4, &[b"GSS-SPNEGO"]), &der(4, &[b"NTLMSSP\0\x01\0\0\0"])])]);
    let search = der(0x63, &[&der(4, &[b"dc=ward"]), &der(10, &[&[2]]), &der(10, &[&[0]])]);
    let result = |tag, code: u8| der(tag, &[&der(10, &[&[code]]), &der(4, &[]), &der(4, &[])]);
    let asks: Vec<u8> =
        [simple, sasl, search.clone(), search, der(0x4a, &[b"cn=x"])].iter().flat_map(|op| ldap_message(op)).collect();
    let told = [result(0x61, 49), result(0x61, 14), der(0x64, &[&der(4, &[b"cn=jones"])]), result(0x65, 0), result(0x6b, 50)];
    let told: Vec<u8> = told.iter().flat_map(|op| ldap_message(op)).collect();
    let sealed = netbios(&[0x60, 9, 9, 9, 9, 9, 9, 9]);
    let whole = after(tcp(389), &[(Orig, &asks), (Resp, &told), (Orig, &sealed)]);
    let ldap = |state: &AppState| -> LdapFacts {
        let Facts::Ldap(ldap) = facts(state) else { panic!("no LDAP") };
        ldap.clone()
    };
    let got = ldap(&whole);
    assert_eq!((got.operations.bind, got.operations.search, got.operations.search_entry, got.operations.delete), (2, 2, 1, 1));
    assert_eq!((got.results.invalid_credentials, got.results.success, got.results.denied), (1, 2, 1));
    assert_eq!((&got.binds[..], &got.mechanisms[..], got.version), (&["simple", "sasl"][..], &["GSS-SPNEGO"][..], 3));
    assert_eq!((got.scopes.subtree, got.ntlm.negotiate, got.sealed), (2, 1, true));
    let kept = serde_json::to_string(&got).unwrap();
    assert!(!kept.contains("smith") && !kept.contains("s3cret") && !kept.contains("jones"), "{kept}");
    for cut in 9..asks.len() {
        let state = after(tcp(389), &[(Orig, &asks[..cut]), (Orig, &asks[cut..]), (Resp, &told), (Orig, &sealed)]);
        assert_eq!(ldap(&state), got, "cut at {cut}");
    }
}

#[test]
fn ldap_turns_to_tls() {
    let request = ldap_message(&der(0x77, &[&der(0x80, &[b"1.3.6.1.4.1.1466.20037"])]));
    let answer = ldap_message(&der(0x78, &[&der(10, &[&[0]]), &der(4, &[]), &der(4, &[])]));
    let state = after(tcp(389), &[(Orig, &request), (Resp, &answer), (Orig, &[0x16, 3, 1, 0, 9, 1, 0, 0, 5])]);
    let Facts::Ldap(ldap) = facts(&state) else { panic!("no LDAP") };
    assert!(ldap.starttls && ldap.operations.extended == 1);
}

#[test]
fn what_only_looks_like_them() {
    assert_eq!(alone(6, &[0, 0, 0, 4, 0xfe, b'S', b'M', b'B']), (App::Unknown, Basis::None));
    assert_eq!(alone(6, &[5, 0, 11, 3, 0x10, 0, 0, 0, 3, 0, 0, 0]), (App::Unknown, Basis::None));
    assert_eq!(alone(6, &netbios(&smb2(0, 0, 0, &[36, 0]))), (App::Smb, Basis::Content));
}
