//! Connections that are kept: what a watch, a log or a shell would see.
//!
//! Each asks now and then on the same connection. It is over when
//! the other side resets or closes it; an answer still missing at the
//! end means it hung, which is what leaves a client waiting for a quarter of an hour.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::target::exchange;
use crate::{Failure, Stream, Target};

/// An answer that takes longer than this is none.
const GRACE: Duration = Duration::from_millis(300);

/// How a kept connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It answers still.
    Alive,
    /// The other side reset or closed it; the client knew then.
    Over(Instant),
    /// Its last question had no answer when it was given up.
    Hung,
}

/// Connections being kept.
#[derive(Debug)]
pub struct Holding {
    stop: Arc<AtomicBool>,
    kept: Vec<(TcpStream, JoinHandle<Held>)>,
}

impl Holding {
    /// Opens `count` connections, each asking once every `period`.
    ///
    /// # Errors
    /// Fails if one cannot be opened within `deadline`.
    pub fn open(target: &Target, count: u32, period: Duration, deadline: Duration) -> Result<Self, Failure> {
        let mut holding = Self { stop: Arc::default(), kept: Vec::new() };
        let request = String::from_utf8_lossy(target.request()).replace("Connection: close\r\n", "");
        for _ in 0..count {
            if let Err(failure) = holding.add(target, &request, period, deadline) {
                holding.finish();
                return Err(failure);
            }
        }
        Ok(holding)
    }

    /// Ends them, and says how each had fared.
    pub fn finish(self) -> Vec<Held> {
        self.stop.store(true, Ordering::SeqCst);
        // Questions just asked deserve their answers.
        let end = Instant::now() + GRACE;
        while self.kept.iter().any(|(_, keeper)| !keeper.is_finished()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        for (socket, _) in &self.kept {
            // Ends a wait for an answer; one already closed does not mind.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.kept.into_iter().map(|(_, keeper)| keeper.join().unwrap_or(Held::Hung)).collect()
    }

    fn add(
        &mut self,
        target: &Target,
        request: &str,
        period: Duration,
        deadline: Duration,
    ) -> Result<(), Failure> {
        let mut stream = target.connect(Instant::now() + deadline).map_err(|(_, failure)| failure)?.stream;
        stream.set_deadline(None);
        let socket = stream.socket().try_clone()?;
        let (request, stop) = (request.to_owned(), Arc::clone(&self.stop));
        let keeper =
            thread::Builder::new().spawn(move || keep(&mut stream, request.as_bytes(), period, &stop))?;
        self.kept.push((socket, keeper));
        Ok(())
    }
}

fn keep(stream: &mut Stream, request: &[u8], period: Duration, stop: &AtomicBool) -> Held {
    loop {
        let answered = exchange(stream, request);
        if stop.load(Ordering::SeqCst) {
            return if answered.is_ok() { Held::Alive } else { Held::Hung };
        }
        if answered.is_err() {
            return Held::Over(Instant::now());
        }
        match idle(stream.socket(), period) {
            _ if stop.load(Ordering::SeqCst) => return Held::Alive,
            true => {}
            false => return Held::Over(Instant::now()),
        }
    }
}

/// Waits a period; false as soon as the other side ends the connection, as
/// whoever waits for the next line of a watch would notice.
fn idle(socket: &TcpStream, period: Duration) -> bool {
    let _ = socket.set_read_timeout(Some(period));
    match socket.peek(&mut [0]) {
        Ok(0) => false,
        // Something of TLS's own, such as a ticket: the next answer is read after it.
        Ok(_) => {
            thread::sleep(period);
            true
        }
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trust;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Serves connections in turn: answers so many requests on each, then keeps it or closes it.
    fn server(answers: usize, close: bool) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                for _ in 0..answers {
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
                if !close {
                    kept.push(stream);
                }
            }
        });
        Target::new(&url, &Trust::Insecure, None).unwrap()
    }

    fn fare(answers: usize, close: bool) -> Vec<Held> {
        let target = server(answers, close);
        let second = Duration::from_secs(1);
        let holding = Holding::open(&target, 1, Duration::from_millis(20), second).unwrap();
        thread::sleep(Duration::from_millis(300));
        holding.finish()
    }

    #[test]
    fn one_that_is_answered_to_the_end_is_alive() {
        assert_eq!(fare(1000, false), [Held::Alive]);
    }

    #[test]
    fn one_that_is_closed_is_over_at_once() {
        assert!(matches!(fare(2, true)[..], [Held::Over(_)]));
    }

    #[test]
    fn one_whose_question_is_left_open_is_hung() {
        assert_eq!(fare(2, false), [Held::Hung]);
    }
}
