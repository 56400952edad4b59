//! Standard output, as it is: what a write says is what went out.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Standard output without a buffer: [`io::stdout`] does not tell how much of a line went to a disk that is full by now. Where it is a
/// pipe that does not block, its reader is waited for as with any other pipe.
#[derive(Debug)]
pub struct Stdout(File);

impl Stdout {
    /// Takes it.
    ///
    /// # Errors
    /// When no more files may be open.
    pub fn open() -> io::Result<Self> {
        Ok(Self(io::stdout().as_fd().try_clone_to_owned()?.into()))
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
