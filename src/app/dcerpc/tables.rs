//! Interfaces and operations that have names here.

/// Interfaces by their UUID as text and by the name that tools give them (MS-RPCE and the specification of each protocol).
const INTERFACES: [(&str, &str); 36] = [
    ("e1af8308-5d1f-11c9-91a4-08002b14a0fa", "epmapper"),
    ("367abb81-9844-35f1-ad32-98f038001003", "svcctl"),
    ("12345778-1234-abcd-ef00-0123456789ac", "samr"),
    ("12345778-1234-abcd-ef00-0123456789ab", "lsarpc"),
    ("12345678-1234-abcd-ef00-01234567cffb", "netlogon"),
    ("e3514235-4b06-11d1-ab04-00c04fc2dcd2", "drsuapi"),
    ("4b324fc8-1670-01d3-1278-5a47bf6ee188", "srvsvc"),
    ("6bffd098-a112-3610-9833-46c3f87e345a", "wkssvc"),
    ("338cd001-2244-31f1-aaaa-900038001003", "winreg"),
    ("1ff70682-0a51-30e8-076d-740be8cee98b", "atsvc"),
    ("86d35949-83c9-4044-b424-db363231fd0c", "ITaskSchedulerService"),
    ("378e52b0-c0a9-11cf-822d-00aa0051e40f", "sasec"),
    ("12345678-1234-abcd-ef00-0123456789ab", "spoolss"),
    ("76f03f96-cdfd-44fc-a22c-64950a001209", "IRemoteWinspool"),
    ("82273fdc-e32a-18c3-3f78-827929dc23ea", "eventlog"),
    ("f6beaff7-1e19-4fbb-9f8f-b89e2018337c", "IEventService"),
    ("894de0c0-0d55-11d3-a322-00c04fa321a1", "initshutdown"),
    ("3dde7c30-165d-11d1-ab8f-00805f14db40", "BackupKey"),
    ("c681d488-d850-11d0-8c52-00c04fd90f7e", "efsrpc"),
    ("df1941c5-fe89-4e79-bf10-463657acf44d", "efsrpc"),
    ("50abc2a4-574d-40b3-9d66-ee4fd5fba076", "DnsServer"),
    ("4fc742e0-4a10-11cf-8273-00aa004ae673", "netdfs"),
    ("a8e0653c-2744-4389-a61d-7373df8b2292", "FileServerVssAgent"),
    ("3919286a-b10c-11d0-9ba8-00c04fd92ef5", "dssetup"),
    ("afa8bd80-7d8a-11c9-bef4-08002b102989", "mgmt"),
    ("99fcfec4-5260-101b-bbcb-00aa0021347a", "IObjectExporter"),
    ("000001a0-0000-0000-c000-000000000046", "IRemoteSCMActivator"),
    ("4d9f4ab8-7d1c-11cf-861e-0020af6e7c57", "IActivation"),
    ("00000131-0000-0000-c000-000000000046", "IRemUnknown"),
    ("00000143-0000-0000-c000-000000000046", "IRemUnknown2"),
    ("00020400-0000-0000-c000-000000000046", "IDispatch"),
    ("9556dc99-828c-11cf-a37e-00aa003240c7", "IWbemServices"),
    ("f309ad18-d86a-11d0-a075-00c04fb68820", "IWbemLevel1Login"),
    ("d4781cd6-e5d3-44df-ad94-930efe48a887", "IWbemLoginClientID"),
    ("027947e1-d731-11ce-a357-000000000001", "IEnumWbemClassObject"),
    ("1c1c45ee-4395-11d2-b60b-00104b703efd", "IWbemFetchSmartEnum"),
];

/// Operations by the name of their interface and by number, of those that attacks use.
const OPERATIONS: [(&str, u16, &str); 51] = [
    ("svcctl", 2, "svcctl.DeleteService"),
    ("svcctl", 12, "svcctl.CreateServiceW"),
    ("svcctl", 19, "svcctl.StartServiceW"),
    ("svcctl", 24, "svcctl.CreateServiceA"),
    ("svcctl", 31, "svcctl.StartServiceA"),
    ("svcctl", 44, "svcctl.CreateServiceWOW64A"),
    ("svcctl", 45, "svcctl.CreateServiceWOW64W"),
    ("samr", 13, "samr.EnumDomainUsers"),
    ("samr", 17, "samr.LookupNames"),
    ("samr", 25, "samr.GetMembersInGroup"),
    ("samr", 37, "samr.SetInformationUser"),
    ("samr", 38, "samr.ChangePasswordUser"),
    ("samr", 55, "samr.UnicodeChangePasswordUser2"),
    ("samr", 58, "samr.SetInformationUser2"),
    ("lsarpc", 43, "lsarpc.RetrievePrivateData"),
    ("lsarpc", 37, "lsarpc.AddAccountRights"),
    ("netlogon", 15, "netlogon.ServerAuthenticate2"),
    ("netlogon", 26, "netlogon.ServerAuthenticate3"),
    ("netlogon", 30, "netlogon.ServerPasswordSet2"),
    ("drsuapi", 3, "drsuapi.GetNCChanges"),
    ("drsuapi", 5, "drsuapi.ReplicaAdd"),
    ("drsuapi", 17, "drsuapi.AddEntry"),
    ("drsuapi", 20, "drsuapi.AddSidHistory"),
    ("srvsvc", 12, "srvsvc.NetSessEnum"),
    ("srvsvc", 15, "srvsvc.NetShareEnumAll"),
    ("wkssvc", 2, "wkssvc.NetWkstaUserEnum"),
    ("winreg", 6, "winreg.CreateKey"),
    ("winreg", 22, "winreg.SetValue"),
    ("atsvc", 0, "atsvc.JobAdd"),
    ("ITaskSchedulerService", 1, "ITaskSchedulerService.RegisterTask"),
    ("ITaskSchedulerService", 12, "ITaskSchedulerService.Run"),
    ("spoolss", 14, "spoolss.AddPrintProcessor"),
    ("spoolss", 46, "spoolss.AddMonitor"),
    ("spoolss", 65, "spoolss.RemoteFindFirstPrinterChangeNotificationEx"),
    ("spoolss", 89, "spoolss.AddPrinterDriverEx"),
    ("IRemoteWinspool", 39, "IRemoteWinspool.AsyncAddPrinterDriver"),
    ("IRemoteWinspool", 44, "IRemoteWinspool.AsyncAddPrintProcessor"),
    ("IRemoteWinspool", 51, "IRemoteWinspool.AsyncAddMonitor"),
    ("eventlog", 0, "eventlog.ClearELFW"),
    ("eventlog", 12, "eventlog.ClearELFA"),
    ("IEventService", 6, "IEventService.EvtRpcClearLog"),
    ("initshutdown", 0, "initshutdown.BaseInitiateShutdown"),
    ("initshutdown", 2, "initshutdown.BaseInitiateShutdownEx"),
    ("BackupKey", 0, "BackupKey.BackuprKey"),
    ("efsrpc", 0, "efsrpc.OpenFileRaw"),
    ("DnsServer", 0, "DnsServer.Operation"),
    ("DnsServer", 5, "DnsServer.Operation2"),
    ("IDispatch", 6, "IDispatch.Invoke"),
    ("IWbemServices", 24, "IWbemServices.ExecMethod"),
    ("IRemoteSCMActivator", CREATES[0].0, CREATES[0].1),
    ("IRemoteSCMActivator", CREATES[1].0, CREATES[1].1),
];

/// What makes an object on another device, or who makes such (MS-DCOM, 3.1.2.5.2.3): number and name.
pub(super) const CREATES: [(u16, &str); 2] =
    [(3, "IRemoteSCMActivator.RemoteGetClassObject"), (4, "IRemoteSCMActivator.RemoteCreateInstance")];

/// Objects by their class that run what they are told to on the device on which they are made (ATT&CK T1021.003).
const OBJECTS: [(&str, &str); 5] = [
    ("49b2791a-b1ae-4c90-9b8e-e860ba07f889", "IRemoteSCMActivator(MMC20.Application)"),
    ("9ba05972-f6a8-11cf-a442-00a0c90a8f39", "IRemoteSCMActivator(ShellWindows)"),
    ("c08afd90-f2a1-11d1-8455-00a0c91f3880", "IRemoteSCMActivator(ShellBrowserWindow)"),
    ("00024500-0000-0000-c000-000000000046", "IRemoteSCMActivator(Excel.Application)"),
    ("0006f03a-0000-0000-c000-000000000046", "IRemoteSCMActivator(Outlook.Application)"),
];

/// Those that make another device run a program (a service, a task, an object, a driver, what prints), change what it does (registry,
/// shutdown, rights), wipe its logs, read secrets, or change who is in a domain: ATT&CK T1569.002, T1053.005, T1047, T1021.003, T1068,
/// T1547.010, T1547.012, T1112, T1529, T1098, T1070.001, T1003.004, T1003.006, T1207, T1134.005.
const CONTROLS: [&str; 29] = [
    "svcctl.CreateServiceW",
    "svcctl.CreateServiceA",
    "svcctl.CreateServiceWOW64A",
    "svcctl.CreateServiceWOW64W",
    "atsvc.JobAdd",
    "ITaskSchedulerService.RegisterTask",
    "IDispatch.Invoke",
    "IWbemServices.ExecMethod",
    "spoolss.AddPrinterDriverEx",
    "spoolss.AddPrintProcessor",
    "spoolss.AddMonitor",
    "IRemoteWinspool.AsyncAddPrinterDriver",
    "IRemoteWinspool.AsyncAddPrintProcessor",
    "IRemoteWinspool.AsyncAddMonitor",
    "winreg.CreateKey",
    "winreg.SetValue",
    "initshutdown.BaseInitiateShutdown",
    "initshutdown.BaseInitiateShutdownEx",
    "eventlog.ClearELFW",
    "eventlog.ClearELFA",
    "IEventService.EvtRpcClearLog",
    "lsarpc.AddAccountRights",
    "lsarpc.RetrievePrivateData",
    "samr.SetInformationUser",
    "samr.SetInformationUser2",
    REPLICATES,
    "drsuapi.ReplicaAdd",
    "drsuapi.AddEntry",
    "drsuapi.AddSidHistory",
];
/// What a directory's servers ask each other for.
pub const REPLICATES: &str = "drsuapi.GetNCChanges";

/// Does this operation take control of another device or of a domain?
pub(super) fn controls(operation: &str) -> bool {
    CONTROLS.contains(&operation) || OBJECTS.iter().any(|(_, object)| *object == operation)
}

/// How making an object of the class with this UUID is called.
pub(super) fn remote_object(uuid: &[u8; 16]) -> Option<&'static str> {
    OBJECTS.iter().find(|(text, _)| is_uuid(text, uuid)).map(|(_, name)| *name)
}

/// Place and name of the interface with this UUID, which comes as it stands in a message with little-endian numbers.
pub(super) fn interface(uuid: &[u8; 16]) -> Option<(usize, &'static str)> {
    let place = INTERFACES.iter().position(|(text, _)| is_uuid(text, uuid))?;
    INTERFACES.get(place).map(|(_, name)| (place, *name))
}

/// The name of an operation of the interface in this place.
pub(super) fn operation(interface: usize, number: u16) -> Option<&'static str> {
    let (_, interface) = INTERFACES.get(interface)?;
    OPERATIONS.iter().find(|(of, known, _)| of == interface && *known == number).map(|(_, _, name)| *name)
}

/// Where in a message each two digits of the text stand.
const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

fn is_uuid(text: &str, uuid: &[u8; 16]) -> bool {
    let mut digits = text.bytes().filter(|b| *b != b'-').map(|b| char::from(b).to_digit(16).unwrap_or(0) as u8);
    ORDER.iter().all(|place| {
        let (high, low) = (digits.next().unwrap_or(0), digits.next().unwrap_or(0));
        uuid.get(*place) == Some(&(high << 4 | low))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_of_a_known_interface_and_each_uuid_is_well_formed() {
        for (text, name) in INTERFACES.into_iter().chain(OBJECTS) {
            assert_eq!(text.len(), 36, "{name}");
            assert!(text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()), "{name}");
        }
        for (interface, _, name) in OPERATIONS {
            assert!(INTERFACES.iter().any(|(_, known)| *known == interface), "{name}");
            assert!(name.starts_with(interface), "{name}");
        }
        for name in CONTROLS {
            assert!(OPERATIONS.iter().any(|(.., known)| *known == name), "{name}");
        }
    }
}
