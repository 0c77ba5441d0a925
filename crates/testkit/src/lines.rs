//! A pipe, read line by line on a thread of its own: a test waits for a line, or for the end, with a limit.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The lines of a pipe, and those of them that were read.
#[derive(Debug)]
pub(crate) struct Lines {
    to_come: Receiver<String>,
    read: String,
}

impl Lines {
    /// Begins to read.
    pub(crate) fn of(pipe: Option<impl Read + Send + 'static>) -> Lines {
        let (send, to_come) = channel();
        std::thread::spawn(move || {
            for line in
                pipe.map(BufReader::new).into_iter().flat_map(|pipe| pipe.lines().map_while(Result::ok))
            {
                // The test may not want to read any more.
                let _ = send.send(line);
            }
        });
        Lines { to_come, read: String::new() }
    }

    /// The next line, if it comes within `time`.
    pub(crate) fn within(&mut self, time: Duration) -> Option<String> {
        let line = self.to_come.recv_timeout(time).ok()?;
        self.read += &line;
        self.read.push('\n');
        Some(line)
    }

    /// Reads on; whether the pipe was at its end before `end`.
    pub(crate) fn read_to_end(&mut self, end: Instant) -> bool {
        loop {
            match self.to_come.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.read += &(line + "\n"),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// All that was read.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.read)
    }
}
