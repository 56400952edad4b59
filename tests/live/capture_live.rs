//! The loopback interface, where there is one and capturing is permitted.

use std::net::UdpSocket;

use auscult::capture::{Block, CaptureError, Live, LiveOptions, Source};
use auscult::wire::LinkType;

const LOOPBACK: &str = "lo";

fn live() -> Option<Live> {
    match Live::open(LOOPBACK, &LiveOptions { promiscuous: false, buffer_bytes: 4 << 20, ..LiveOptions::default() }) {
        Ok(live) => Some(live),
        Err(error @ (CaptureError::NotPermitted { .. } | CaptureError::NoSuchInterface { .. })) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn hears_what_is_sent() {
    let Some(mut live) = live() else { return };
    assert_eq!(live.link(), LinkType::ETHERNET);
    let (to, from) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    const SENT: usize = 500;
    let text = |i: usize| format!("auscult live test {i:04}");
    for i in 0..SENT {
        from.send_to(text(i).as_bytes(), to.local_addr().unwrap()).unwrap();
    }
    let (mut block, mut heard, mut last) = (Block::default(), 0, None);
    for _ in 0..50 {
        assert!(live.fill(&mut block).unwrap());
        for span in &block.frames {
            let frame = block.frame(span);
            if frame.data.ends_with(text(heard).as_bytes()) {
                heard += 1;
                // Ethernet, IPv4 and UDP headers.
                assert_eq!(frame.wire_bytes as usize, 14 + 20 + 8 + text(0).len());
                assert!(last.is_none_or(|last| last <= frame.time));
                last = Some(frame.time);
            }
        }
        if heard == SENT {
            break;
        }
    }
    assert_eq!(heard, SENT);
    // The system's clock, in the right unit: between 2020 and 2100.
    assert!((1_577_836_800..4_102_444_800).contains(&last.unwrap().seconds()), "{last:?}");
    let statistics = live.statistics().unwrap();
    assert!(statistics.received >= SENT as u64 && statistics.dropped_kernel == 0, "{statistics:?}");
    assert_eq!(live.progress(), None);
}

#[test]
fn silence_gives_an_empty_block_soon() {
    let Some(mut live) = live() else { return };
    let mut block = Block::default();
    // Others may talk on the loopback interface too: one of many calls is quiet.
    let quiet = (0..200).any(|_| live.fill(&mut block).unwrap() && block.frames.is_empty());
    assert!(quiet && block.bytes.is_empty());
}

#[test]
fn says_which_interfaces_there_are() {
    match Live::open("nosuch0", &LiveOptions::default()).err().unwrap() {
        CaptureError::NotPermitted { .. } => eprintln!("skipped: not permitted to capture"),
        error => {
            assert!(matches!(error, CaptureError::NoSuchInterface { .. }), "{error:?}");
            assert!(error.to_string().starts_with("nosuch0: no such interface; there are "), "{error}");
        }
    }
}
