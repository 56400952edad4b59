//! Standard output, as it is: what a write says is what went out.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Who has begun a line and found no room for the rest of it; 0 is nobody. There is one standard output, whoever writes to it.
static HALF_A_LINE: AtomicU32 = AtomicU32::new(0);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Standard output without a buffer: [`io::stdout`] does not tell how much of a line went to a disk that is full by now. Where it is a
/// pipe that does not block, its reader is waited for as with any other pipe. Several may write whole lines to it; while one has to wait with
/// half a line, the others find no room.
#[derive(Debug)]
pub struct Stdout {
    to: File,
    number: u32,
}

impl Stdout {
    /// Takes it.
    ///
    /// # Errors
    /// When no more files may be open.
    pub fn open() -> io::Result<Self> {
        let to = io::stdout().as_fd().try_clone_to_owned()?.into();
        Ok(Self { to, number: NEXT.fetch_add(1, Ordering::Relaxed) })
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if ![0, self.number].contains(&HALF_A_LINE.load(Ordering::Relaxed)) {
            return Err(io::Error::new(ErrorKind::StorageFull, "there was no room for the rest of another output's line"));
        }
        let written = self.put(bytes)?;
        if let Some(last) = bytes[..written].last() {
            HALF_A_LINE.store(if *last == b'\n' { 0 } else { self.number }, Ordering::Relaxed);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stdout {
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.to.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                written => return written,
            }
        }
    }
}
