//! Clients that come at a fixed rate, whatever happened to those before them.
//!
//! A client that waits for its answer before it asks again (a closed loop)
//! asks least while the service is down, and so hides the outage. Here the
//! n-th request belongs to the moment n/rate; a pool large enough for every
//! request to run into its deadline keeps that promise, and each [`Sample`]
//! says how late the pool itself was.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Target;

/// Workers beyond those that can be busy at once, for a machine that stalls.
const SPARE: u32 = 8;

/// A TLS handshake fits, and a thousand workers do too.
const STACK_BYTES: usize = 512 << 10;

/// How clients come.
#[derive(Clone, Debug)]
pub struct Pace {
    /// New clients a second.
    pub rate: u32,
    /// How long one waits for its answer.
    pub deadline: Duration,
    /// The HTTP statuses that are good answers.
    pub expect: Vec<u16>,
}

impl Pace {
    /// The workers it takes so that none is ever missing.
    pub fn workers(&self) -> u32 {
        let busy = u128::from(self.rate) * self.deadline.as_micros();
        u32::try_from(busy.div_ceil(1_000_000)).unwrap_or(u32::MAX).saturating_add(SPARE)
    }

    /// The moment, from the start, to which the n-th request belongs.
    fn due(&self, n: u32) -> Duration {
        Duration::from_secs_f64(f64::from(n) / f64::from(self.rate.max(1)))
    }
}

/// What became of one client. Times count from [`Load::started`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it came.
    pub begun: Duration,
    /// How much later that was than it should have been: the fault of this machine.
    pub late: Duration,
    /// When it had its answer, or gave up.
    pub done: Duration,
    /// The HTTP status; `None` if none was read.
    pub status: Option<u16>,
    /// Why it failed, in a word: that of [`Cause`](crate::Cause), or `status`; `None` if it did not.
    pub error: Option<&'static str>,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    started: Instant,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Vec<Sample>>>,
}

impl Load {
    /// Starts them. Use a [`Target::fresh`]: a new client knows no session to resume.
    ///
    /// # Errors
    /// Fails if the system has no threads left.
    pub fn start(target: &Target, pace: &Pace) -> io::Result<Self> {
        let started = Instant::now() + Duration::from_millis(20);
        let mut load = Self { started, stop: Arc::default(), workers: Vec::new() };
        let next = Arc::new(AtomicU32::new(0));
        for _ in 0..pace.workers() {
            let (target, pace, next) = (target.clone(), pace.clone(), Arc::clone(&next));
            let stop = Arc::clone(&load.stop);
            let work = move || work(&target, &pace, started, &next, &stop);
            match thread::Builder::new().stack_size(STACK_BYTES).spawn(work) {
                Ok(worker) => load.workers.push(worker),
                Err(error) => {
                    load.finish();
                    return Err(error);
                }
            }
        }
        Ok(load)
    }

    /// The moment the first client comes.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Lets no more come, waits for those under way, and says what became of
    /// all, in the order in which they came.
    pub fn finish(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::SeqCst);
        let mut samples: Vec<_> =
            self.workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect();
        samples.sort_by_key(|sample| sample.begun);
        samples
    }
}

fn work(target: &Target, pace: &Pace, started: Instant, next: &AtomicU32, stop: &AtomicBool) -> Vec<Sample> {
    let mut samples = Vec::new();
    loop {
        let due = started + pace.due(next.fetch_add(1, Ordering::SeqCst));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::SeqCst) {
            return samples;
        }
        let begun = Instant::now();
        let reply = target.get(begun + pace.deadline);
        let error = match &reply.error {
            Some(failure) => Some(failure.cause.as_str()),
            None if reply.ok(&pace.expect) => None,
            None => Some("status"),
        };
        samples.push(Sample {
            begun: begun.saturating_duration_since(started),
            late: begun.saturating_duration_since(due),
            done: (begun + reply.elapsed).saturating_duration_since(started),
            status: reply.status,
            error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trust;
    use std::net::TcpListener;

    #[test]
    fn clients_keep_coming_at_their_rate_while_nobody_answers() {
        // Connections queue in the backlog; nobody ever answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let target = Target::new(&url, &Trust::Insecure, None).unwrap();
        let pace = Pace { rate: 50, deadline: Duration::from_millis(200), expect: vec![200] };
        let load = Load::start(&target, &pace).unwrap();
        thread::sleep(Duration::from_millis(620));
        let samples = load.finish();
        // A closed loop would have made 3 requests a worker's worth of deadlines; 30 belong here.
        assert!((25..=32).contains(&samples.len()), "{}", samples.len());
        assert!(samples.iter().all(|sample| sample.error == Some("timeout")));
        assert!(samples.iter().all(|sample| sample.done > sample.begun));
    }

    #[test]
    fn there_is_a_worker_for_every_request_that_can_be_under_way() {
        let pace = Pace { rate: 100, deadline: Duration::from_millis(300), expect: vec![] };
        assert_eq!(pace.workers(), 30 + SPARE);
    }
}
