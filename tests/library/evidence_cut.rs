//! What is kept of a packet: its headers and those of what carries it, never what it carries.

use auscult::evidence::{Cut, Slice, Slices, Subject};
use auscult::time::Timestamp;
use auscult::wire::{Addr, Frame, LinkType, decode};

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];
const SECRET: &[u8] = b"Anna Muster, 1970-01-01, HIV negative";

fn frame(data: &[u8]) -> Frame<'_> {
    Frame { time: Timestamp::from_nanos(7), link: LinkType::ETHERNET, wire_bytes: data.len() as u32, data }
}

fn ethernet(ether_type: u16, content: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &ether_type.to_be_bytes()[..], content].concat()
}

/// An IPv4 packet whose flags and fragment offset are these.
fn fragment(protocol: u8, offset: u16, content: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + content.len() as u16).to_be_bytes();
    let [flags, units] = offset.to_be_bytes();
    [&[0x45, 0, high, low, 0, 9, flags, units, 64, protocol, 0, 0], &A[..], &B, content].concat()
}

fn ipv4(protocol: u8, content: &[u8]) -> Vec<u8> {
    fragment(protocol, 0, content)
}

fn udp(dst: u16, content: &[u8]) -> Vec<u8> {
    [&[0x9c, 0x40][..], &dst.to_be_bytes(), &(8 + content.len() as u16).to_be_bytes(), &[0, 0], content].concat()
}

/// A TCP header with eight bytes of options.
fn tcp(content: &[u8]) -> Vec<u8> {
    [&[0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x70, 0x18, 0x20, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4, 1, 1, 4, 2], content].concat()
}

#[track_caller]
fn kept(data: &[u8]) -> (usize, Subject, Option<Subject>) {
    let frame = frame(data);
    let (cut, whole) = match decode(&frame) {
        Ok(packet) => (Slice::of_packet(&frame, &packet, Cut::Headers), Slice::of_packet(&frame, &packet, Cut::Whole)),
        Err(skip) => {
            (Slice::of_skipped(&frame, skip, Cut::Headers).unwrap(), Slice::of_skipped(&frame, skip, Cut::Whole).unwrap())
        }
    };
    assert_eq!(whole.frame.data, data);
    assert!(data.starts_with(cut.frame.data) && cut.frame.wire_bytes == data.len() as u32);
    assert!(!cut.frame.data.windows(4).any(|part| part == &SECRET[..4]), "content is kept");
    let mut slices = Slices::default();
    slices.push(&cut);
    let again = slices.get(0).unwrap();
    assert_eq!((again.frame.data, again.subject, again.also), (cut.frame.data, cut.subject, cut.also));
    (cut.frame.data.len(), cut.subject, cut.also)
}

const ENDS: [Addr; 2] = [Addr::v4(A), Addr::v4(B)];

#[test]
fn a_packet_is_cut_behind_its_innermost_transport_header() {
    let of_udp = |port| Subject::Flow(ENDS, 17, [40_000, port]);
    let plain = ethernet(0x0800, &ipv4(17, &udp(53, SECRET)));
    assert_eq!(kept(&plain), (14 + 20 + 8, of_udp(53), None));
    let with_options = ethernet(0x0800, &ipv4(6, &tcp(SECRET)));
    assert_eq!(kept(&with_options), (14 + 20 + 28, Subject::Flow(ENDS, 6, [40_000, 80]), None));
    let tagged = ethernet(0x88a8, &[&[0, 7, 0x81, 0, 0, 8, 8, 0][..], &ipv4(17, &udp(53, SECRET))].concat());
    assert_eq!(kept(&tagged).0, 14 + 8 + 20 + 8);
    let labelled = ethernet(0x8847, &[&[0, 0, 0x11, 64][..], &ipv4(17, &udp(53, SECRET))].concat());
    assert_eq!(kept(&labelled).0, 14 + 4 + 20 + 8);
    // VXLAN (RFC 7348) and GRE (RFC 2784): the packet within counts.
    let vxlan = udp(4789, &[&[8, 0, 0, 0, 0, 0, 5, 0][..], &plain].concat());
    assert_eq!(kept(&ethernet(0x0800, &ipv4(17, &vxlan))), (14 + 20 + 8 + 8 + 14 + 20 + 8, of_udp(53), None));
    let gre = [&[0, 0, 8, 0][..], &ipv4(17, &udp(53, SECRET))].concat();
    assert_eq!(kept(&ethernet(0x0800, &ipv4(47, &gre))).0, 14 + 20 + 4 + 20 + 8);
}

#[test]
fn without_ports_it_is_cut_behind_the_ip_headers() {
    let later = ethernet(0x0800, &fragment(17, 185, SECRET));
    assert_eq!(kept(&later), (14 + 20, Subject::Fragment(ENDS, 17), None));
    assert_eq!(kept(&ethernet(0x0800, &ipv4(50, SECRET))).0, 14 + 20);
}

#[test]
fn an_icmp_error_keeps_the_headers_that_it_quotes() {
    let about = ipv4(17, &udp(161, SECRET));
    let error = ethernet(0x0800, &ipv4(1, &[&[3, 3, 0, 0, 0, 0, 0, 0][..], &about].concat()));
    let (length, _, also) = kept(&error);
    assert_eq!((length, also), (14 + 20 + 8 + 20 + 8, Some(Subject::Flow(ENDS, 17, [40_000, 161]))));
    // TCP's ports and sequence number are quoted, its content never is.
    let about = ipv4(6, &tcp(SECRET));
    let error = ethernet(0x0800, &ipv4(1, &[&[11, 0, 0, 0, 0, 0, 0, 0][..], &about].concat()));
    assert_eq!(kept(&error).0, 14 + 20 + 8 + 20 + 8);
    let ping = ethernet(0x0800, &ipv4(1, &[&[8, 0, 0, 0, 0, 7, 0, 1][..], SECRET].concat()));
    assert_eq!(kept(&ping), (14 + 20 + 8, Subject::Flow(ENDS, 1, [8, 0]), None));
}

#[test]
fn what_tells_of_addresses_is_kept_as_a_whole_without_its_padding() {
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1][..], &A, &[2, 0, 0, 0, 0, 2], &B, SECRET].concat();
    assert_eq!(kept(&ethernet(0x0806, &arp)), (14 + 28, Subject::Claim(ENDS), None));
    // A neighbour advertisement (RFC 4861, 4.4) of fe80::1 by fe80::1, with its interface.
    let address = [&[0xfe, 0x80][..], &[0; 13], &[1]].concat();
    let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &address, &[2, 1, 2, 0, 0, 0, 0, 1]].concat();
    let packet = [&[0x60, 0, 0, 0, 0, 32, 58, 255][..], &address, &address, &message, SECRET].concat();
    let spoken_of = Addr::v6(address.try_into().unwrap());
    let (length, _, also) = kept(&ethernet(0x86dd, &packet));
    assert_eq!((length, also), (14 + 40 + 32, Some(Subject::Claim([spoken_of; 2]))));
}

#[test]
fn what_does_not_fit_between_two_ticks_is_counted() {
    let data = ethernet(0x0800, &ipv4(17, &udp(53, &[0; 60_000])));
    let frame = frame(&data);
    let slice = Slice::of_packet(&frame, &decode(&frame).unwrap(), Cut::Whole);
    let mut slices = Slices::default();
    (0..1200).for_each(|_| slices.push(&slice));
    assert_eq!((slices.len() as u64 + slices.left_out, slices.left_out > 0, slices.weight() < 65 << 20), (1200, true, true));
}
