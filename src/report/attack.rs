//! Names of MITRE ATT&CK's techniques and tactics that incidents can have (ATT&CK for Enterprise, version 15).

/// The name of a technique.
#[must_use]
pub fn technique(number: &str) -> Option<&'static str> {
    Some(match number {
        "T1018" => "Remote System Discovery",
        "T1021" => "Remote Services",
        "T1041" => "Exfiltration Over C2 Channel",
        "T1046" => "Network Service Discovery",
        "T1071.001" => "Application Layer Protocol: Web Protocols",
        "T1071.004" => "Application Layer Protocol: DNS",
        "T1110" => "Brute Force",
        "T1190" => "Exploit Public-Facing Application",
        "T1200" => "Hardware Additions",
        "T1210" => "Exploitation of Remote Services",
        "T1213" => "Data from Information Repositories",
        "T1486" => "Data Encrypted for Impact",
        "T1489" => "Service Stop",
        "T1496" => "Resource Hijacking",
        "T1499" => "Endpoint Denial of Service",
        "T1557" => "Adversary-in-the-Middle",
        "T1557.001" => "Adversary-in-the-Middle: LLMNR/NBT-NS Poisoning and SMB Relay",
        "T1557.002" => "Adversary-in-the-Middle: ARP Cache Poisoning",
        "T1557.003" => "Adversary-in-the-Middle: DHCP Spoofing",
        "T1558" => "Steal or Forge Kerberos Tickets",
        "T1568.002" => "Dynamic Resolution: Domain Generation Algorithms",
        "T1571" => "Non-Standard Port",
        _ => return None,
    })
}

/// The name of a tactic.
#[must_use]
pub fn tactic(number: &str) -> Option<&'static str> {
    Some(match number {
        "TA0001" => "Initial Access",
        "TA0002" => "Execution",
        "TA0003" => "Persistence",
        "TA0004" => "Privilege Escalation",
        "TA0005" => "Defense Evasion",
        "TA0006" => "Credential Access",
        "TA0007" => "Discovery",
        "TA0008" => "Lateral Movement",
        "TA0009" => "Collection",
        "TA0010" => "Exfiltration",
        "TA0011" => "Command and Control",
        "TA0040" => "Impact",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Class, Evidence};
    use crate::feature::FactKind;

    #[test]
    fn every_class_with_a_technique_has_its_name() {
        let application = Evidence::NewFact(FactKind::Application);
        let of_evidence = [Evidence::Leases, Evidence::Routes, Evidence::NamesGiven, application];
        let of_evidence = of_evidence.map(Evidence::attack);
        for (number, of) in Class::ALL.map(|class| class.info().attack).into_iter().chain(of_evidence).flatten() {
            assert!(technique(number).is_some() && tactic(of).is_some(), "{number} {of}");
        }
    }
}
