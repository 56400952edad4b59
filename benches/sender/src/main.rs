//! Sends the packets of a capture (plain pcap) on an interface, over and over, in many packets a system call (sendmmsg(2)).
//!
//! `sender IFACE CAPTURE COUNT [RATE]` sends COUNT packets, RATE a second, else as fast as it goes, and says how fast it was.
//! Needs CAP_NET_RAW.

use std::io::IoSlice;
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use pcap::Capture;

/// Packets of a system call.
const BATCH: usize = 64;
/// The kernel does not sleep shorter; what is left is waited for awake.
const SHORTEST_SLEEP: Duration = Duration::from_micros(200);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (interface, capture, count, rate) = match arguments.as_slice() {
        [interface, capture, count] => (interface, capture, count.parse::<u64>()?, None),
        [interface, capture, count, rate] => (interface, capture, count.parse()?, Some(rate.parse::<f64>()?)),
        _ => bail!("usage: sender IFACE CAPTURE COUNT [RATE]"),
    };
    if rate.is_some_and(|rate| rate <= 0.0 || !rate.is_finite()) {
        bail!("RATE: wanted a number above 0");
    }
    let packets = read(capture).with_context(|| capture.clone())?;
    // A handle of libpcap is a packet socket that is bound to the interface. What it would hear itself is filtered out.
    let mut handle = Capture::from_device(interface.as_str())?.immediate_mode(true).open()?;
    handle.filter("less 1", true)?;
    let begin = Instant::now();
    let calls = send(handle.as_raw_fd(), &packets, count, |sent| {
        if let Some(rate) = rate {
            wait_until(begin + Duration::from_secs_f64(sent as f64 / rate));
        }
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("sent {count} packets in {seconds:.3} s, {:.0} k/s, {calls} calls", count as f64 / seconds / 1e3);
    Ok(())
}

fn read(capture: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut file = Capture::from_file(capture)?;
    let mut packets = Vec::new();
    loop {
        match file.next_packet() {
            Ok(packet) => packets.push(packet.data.to_vec()),
            Err(pcap::Error::NoMorePackets) if packets.is_empty() => bail!("no packets"),
            Err(pcap::Error::NoMorePackets) => return Ok(packets),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends `count` packets, in turn; `pace` is told before each call how many were sent. Gives the number of calls.
fn send(socket: i32, packets: &[Vec<u8>], count: u64, mut pace: impl FnMut(u64)) -> anyhow::Result<u64> {
    let slices: Vec<[IoSlice; 1]> = packets.iter().map(|packet| [IoSlice::new(packet)]).collect();
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let (mut sent, mut calls, mut place) = (0, 0, 0);
    while sent < count {
        pace(sent);
        let end = slices.len().min(place + BATCH.min(usize::try_from(count - sent)?));
        let batch = &slices[place..end];
        let addresses = vec![None::<SockaddrStorage>; batch.len()];
        let taken = match sendmmsg(socket, &mut headers, batch, addresses, [], MsgFlags::empty()) {
            Ok(results) => results.count(),
            // No room in the queue of the interface: the same again.
            Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => 0,
            Err(error) => return Err(error).context("sendmmsg"),
        };
        calls += 1;
        sent += taken as u64;
        place = (place + taken) % slices.len();
    }
    Ok(calls)
}

fn wait_until(time: Instant) {
    loop {
        let left = time.saturating_duration_since(Instant::now());
        match left {
            Duration::ZERO => return,
            left if left > SHORTEST_SLEEP => thread::sleep(left - SHORTEST_SLEEP),
            _ => std::hint::spin_loop(),
        }
    }
}
