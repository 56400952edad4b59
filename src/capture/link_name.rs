//! The names of link types.

use crate::wire::LinkType;

/// The name of a link type as libpcap spells it, if it knows the number.
#[must_use]
pub fn link_type_name(link: LinkType) -> Option<String> {
    ::pcap::Linktype(link.0.into()).get_name().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_have_names() {
        assert_eq!(link_type_name(LinkType::ETHERNET).as_deref(), Some("EN10MB"));
        assert_eq!(link_type_name(LinkType(60_000)), None);
    }
}
