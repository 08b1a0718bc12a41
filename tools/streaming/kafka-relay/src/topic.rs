//! From a topic to standard output or another topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::{Context, Out};
use kafka::{Cluster, Consumer, Event, Isolation, Message};
use process::Stop;

use crate::form::{self, Bad, Form, Load};
use crate::job::{Begin, Every, Job, Place, Until};
use crate::progress::{Ended, Pace, Progress, Result, told};
use crate::rejects::{Rejection, Rejects};
use crate::target::Target;

/// Relays until the end that was asked for, a signal, or a failure.
pub(crate) fn relay(job: &Job, topic: &str, progress: &mut Progress, out: &mut Out) -> Result<()> {
    let doing = format!("reading topic {topic}");
    let stop = Stop::on_signals().and_then(|stop| stop.at(job.deadline)).doing("catching signals")?;
    let cluster = job.connection.cluster().map_err(told(&doing))?;
    let places = cluster.topic(topic).map_err(told(&doing))?.places();
    let ends = match job.until {
        None | Some(Until::Count(_)) => None,
        Some(Until::End) => Some(cluster.ends(&places).map_err(told(&doing))?),
        Some(Until::Since(time_ms)) => Some(cluster.since(&places, time_ms).map_err(told(&doing))?),
    };
    let target = match &job.to {
        Place::Pipe => None,
        Place::Topic(name) => Some(Target::open(job, name)?),
    };
    let rejects = Rejects::open(job.reject.as_ref())?;
    let consumer = match &job.group {
        Some(group) => {
            let instance = job.txn_id.as_deref();
            Consumer::subscribed(&job.connection, group, instance, Isolation::Committed, &[topic])
        }
        None => Consumer::assigned(&job.connection, None, Isolation::Committed, &BTreeMap::new()),
    }
    .map_err(told(&doing))?;
    let parts = places.into_iter().map(|place| Part {
        end: ends.as_ref().and_then(|ends| ends.get(&place).copied()),
        place,
        assigned: false,
        at_end: false,
        next: 0,
        run: None,
        moved: false,
    });
    let mut relay = Relay {
        job,
        doing,
        stop,
        cluster,
        consumer,
        parts: parts.collect(),
        target,
        rejects,
        progress,
        out,
        pace: Pace::of(job.rate),
        writer: envelope::Writer::default(),
        line: Vec::new(),
        pending: Pending::default(),
        taken: false,
        came: Instant::now(),
        committed: Instant::now(),
        asked: Instant::now(),
    };
    if job.group.is_none() {
        let all: Vec<_> = relay.parts.iter().map(|part| part.place.clone()).collect();
        relay.take(&all)?;
    }
    let went = relay.through();
    let ended = relay.finish(went);
    if let Some(target) = &relay.target {
        relay.progress.to = target.delivered();
    }
    relay.rejects.flush()?;
    if ended.is_ok() && relay.parts.iter().any(|part| part.assigned) && job.group.is_some() {
        relay.consumer.leave();
    }
    ended
}

/// A partition that is read.
struct Part {
    place: kafka::Place,
    assigned: bool,
    /// Where it ends, if the run does.
    end: Option<i64>,
    /// All there is was read, for now.
    at_end: bool,
    /// The offset of the next message.
    next: i64,
    /// What was read since the last commit.
    run: Option<kafka::Run>,
    /// Whether `next` is to be committed.
    moved: bool,
}

impl Part {
    /// Whether there is nothing more to be read in it.
    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// What was done since the last commit.
#[derive(Default)]
struct Pending {
    read: u64,
    rejected: u64,
}

struct Relay<'a> {
    job: &'a Job,
    doing: String,
    stop: Stop,
    cluster: Cluster,
    consumer: Consumer,
    /// By their numbers.
    parts: Vec<Part>,
    target: Option<Target>,
    rejects: Rejects,
    progress: &'a mut Progress,
    out: &'a mut Out,
    pace: Pace,
    writer: envelope::Writer,
    line: Vec<u8>,
    pending: Pending,
    /// Whether somebody has said what to read.
    taken: bool,
    /// When a message came last.
    came: Instant,
    committed: Instant,
    /// When we asked last how far the others are.
    asked: Instant,
}

/// How long a transaction may be open where only messages are counted.
const LONGEST: Duration = Duration::from_secs(10);

/// How many messages go by between two looks at the clock.
const STRIDE: u32 = 1000;

impl Relay<'_> {
    fn through(&mut self) -> Result<()> {
        loop {
            if self.is_done()? || self.out.is_closed() {
                return Ok(());
            }
            self.interrupted()?;
            if self.is_due() {
                self.commit()?;
            }
            if let Some(wait) = self.pace.hold() {
                self.stop.sleep(wait);
                self.came = Instant::now();
            } else if !self.some(Duration::ZERO)? {
                // Nobody waits for what is in our hands.
                self.out.flush()?;
                if !self.some(Duration::from_millis(50))? {
                    self.stalled()?;
                }
            }
        }
    }

    /// Relays what is there; false if nothing was.
    fn some(&mut self, timeout: Duration) -> Result<bool> {
        let mut any = false;
        for _ in 0..STRIDE {
            let step = match self
                .consumer
                .poll(if any { Duration::ZERO } else { timeout })
                .map_err(told(&self.doing))?
            {
                Event::Nothing => return Ok(any),
                Event::Message(message) => {
                    let Some(part) =
                        usize::try_from(message.partition()).ok().and_then(|n| self.parts.get_mut(n))
                    else {
                        continue;
                    };
                    let offset = message.offset();
                    if !part.assigned || part.end.is_some_and(|end| offset >= end) {
                        part.next = part.next.max(part.end.unwrap_or(part.next));
                        continue;
                    }
                    let bytes = message.value().map_or(0, <[u8]>::len);
                    let number = self.progress.read + self.pending.read + 1;
                    let bad = pass(
                        &message,
                        self.job.form,
                        self.target.as_mut(),
                        self.out,
                        &mut self.writer,
                        &mut self.line,
                    )?;
                    if let Some(bad) = bad {
                        self.line.clear();
                        write(&message, &mut self.writer, &mut self.line);
                        let rejection = Rejection {
                            line: number,
                            bad: &bad,
                            row: &self.line,
                            row_bytes: self.line.len() as u64,
                            message: Some(&message),
                        };
                        let doing =
                            format!("{}/{} offset {offset}, message", self.doing, part.place.partition);
                        self.rejects.put(&doing, &rejection, self.target.as_ref())?;
                        self.pending.rejected += 1;
                    }
                    self.pending.read += 1;
                    part.next = offset + 1;
                    part.moved = true;
                    part.at_end = false;
                    let run = part.run.get_or_insert(kafka::Run { first: offset, last: offset, count: 0 });
                    run.last = offset;
                    run.count += 1;
                    any = true;
                    Step::Message(bytes)
                }
                Event::End(place, offset) => Step::End(place, offset),
                Event::Assigned(places) => Step::Take(places),
                Event::Revoked(_) => Step::LetGo,
            };
            match step {
                Step::Message(bytes) => {
                    if self.pace.spend(bytes) || self.is_full() {
                        break;
                    }
                }
                Step::End(place, offset) => {
                    if let Some(part) =
                        usize::try_from(place.partition).ok().and_then(|n| self.parts.get_mut(n))
                    {
                        part.at_end = true;
                        if part.assigned && part.next < offset {
                            part.next = offset;
                            part.moved = true;
                        }
                    }
                    return Ok(true);
                }
                Step::Take(places) => {
                    self.take(&places)?;
                    return Ok(true);
                }
                Step::LetGo => {
                    self.let_go()?;
                    return Ok(true);
                }
            }
        }
        if any {
            self.came = Instant::now();
        }
        Ok(true)
    }

    /// Begins to read these: where the group has come to, or where it was said.
    fn take(&mut self, places: &[kafka::Place]) -> Result<()> {
        let mut from = self.whereabouts(places)?;
        for part in &mut self.parts {
            part.assigned = from.contains_key(&part.place);
            (part.at_end, part.moved, part.run) = (false, false, None);
            if let Some(offset) = from.get(&part.place) {
                part.next = *offset;
            }
        }
        for part in self.parts.iter().filter(|part| part.is_done()) {
            from.remove(&part.place);
        }
        self.taken = true;
        self.came = Instant::now();
        self.consumer.take(&from).map_err(told(&self.doing))
    }

    /// The group wants them back: what was read of them is finished first.
    fn let_go(&mut self) -> Result<()> {
        if self.consumer.has_lost() {
            self.forget()?;
        } else {
            self.commit()?;
        }
        self.parts.iter_mut().for_each(|part| part.assigned = false);
        self.taken = false;
        self.came = Instant::now();
        self.consumer.let_go().map_err(told(&self.doing))
    }

    /// Others have the partitions: they read again what we could not commit.
    fn forget(&mut self) -> Result<()> {
        if let Some(target) = &mut self.target {
            target.abort().map_err(told(target.doing().to_owned()))?;
        }
        self.let_fall();
        Ok(())
    }

    fn let_fall(&mut self) {
        self.pending = Pending::default();
        for part in &mut self.parts {
            (part.assigned, part.moved, part.run) = (false, false, None);
        }
    }

    /// The transaction has no end: a new writer breaks it off, and what was in it is read again.
    fn begin_again(&mut self) -> Result<()> {
        let ours: Vec<_> =
            self.parts.iter().filter(|part| part.assigned).map(|part| part.place.clone()).collect();
        self.let_fall();
        if let Some(target) = &mut self.target {
            cli::note(format!(
                "{}: the group's coordinator was not found in time: begins again",
                target.doing()
            ));
            target.again(self.job)?;
        }
        self.take(&ours)
    }

    /// Everything read is out, then the group's offsets move on; with transactions both at once.
    fn commit(&mut self) -> Result<()> {
        self.committed = Instant::now();
        if !self.parts.iter().any(|part| part.moved) {
            return Ok(self.out.flush()?);
        }
        self.rejects.flush()?;
        let next =
            self.parts.iter().filter(|part| part.moved).map(|part| (part.place.clone(), part.next)).collect();
        let done = match &mut self.target {
            Some(target) if self.job.txn_id.is_some() => {
                let group = self.consumer.group_metadata().map_err(told(&self.doing))?;
                target.commit(Some((&next, group)))
            }
            Some(target) => target.commit(None).and_then(|()| self.moved_on(&next)),
            None => {
                self.out.flush()?;
                if self.out.is_closed() {
                    return Ok(());
                }
                self.moved_on(&next)
            }
        };
        match done {
            Err(kafka::Error::Rebalanced) if self.job.txn_id.is_some() => return self.forget(),
            Err(kafka::Error::Stuck) => return self.begin_again(),
            // Without transactions what was written stays, and others will read it again.
            Ok(()) | Err(kafka::Error::Rebalanced) => {}
            Err(error) => {
                return Err(told(self.target.as_ref().map_or(self.doing.as_str(), Target::doing))(error));
            }
        }
        self.count();
        Ok(())
    }

    fn moved_on(&self, next: &BTreeMap<kafka::Place, i64>) -> std::result::Result<(), kafka::Error> {
        if self.job.group.is_some() { self.consumer.commit(next) } else { Ok(()) }
    }

    /// What was pending is done.
    fn count(&mut self) {
        let Pending { read, rejected } = std::mem::take(&mut self.pending);
        self.progress.read += read;
        self.progress.rejected += rejected;
        self.progress.out += read - rejected;
        for part in &mut self.parts {
            part.moved = false;
            if let Some(run) = part.run.take() {
                let all =
                    self.progress.from.entry(part.place.clone()).or_insert(kafka::Run { count: 0, ..run });
                all.add(run);
            }
        }
    }

    /// After the end, or a failure: what is in our hands is finished or broken off.
    fn finish(&mut self, went: Result<()>) -> Result<()> {
        match went {
            Ok(()) => self.commit().inspect_err(|_| self.break_off()),
            Err(Ended::Stopped(why)) => {
                self.commit().inspect_err(|_| self.break_off())?;
                // Who reads without an end has come to it.
                if why.is_none() && self.job.until.is_none() { Ok(()) } else { Err(Ended::Stopped(why)) }
            }
            // A bad message: what came before it is out.
            Err(Ended::Failed(error)) if error.status() == 2 => {
                if self.commit().is_err() {
                    self.break_off();
                }
                Err(error.into())
            }
            Err(ended) => {
                self.break_off();
                Err(ended)
            }
        }
    }

    fn break_off(&mut self) {
        if let Some(target) = &mut self.target {
            let _ = target.abort();
        }
    }

    fn interrupted(&self) -> Result<()> {
        match (self.stop.requested(), self.stop.is_over()) {
            (false, _) => Ok(()),
            (true, false) => Err(Ended::Stopped(None)),
            (true, true) => Err(Ended::Stopped(Some(self.stop.why().to_owned()))),
        }
    }

    fn stalled(&self) -> Result<()> {
        let Some(patience) = self.job.stall.filter(|patience| self.came.elapsed() > *patience) else {
            return Ok(());
        };
        let waits = |part: &&Part| part.assigned && !part.at_end && !part.is_done();
        let why = match self.parts.iter().find(waits) {
            Some(part) => format!("nothing came from {} for {} s", part.place, patience.as_secs()),
            None if !self.taken => format!("the group gave no partitions for {} s", patience.as_secs()),
            None => return Ok(()),
        };
        let error = self.consumer.explain(kafka::Error::Other(why));
        Err(Ended::Stopped(Some(format!("stalled: {error}"))))
    }

    fn is_due(&self) -> bool {
        match self.job.every {
            Every::Time(time) => self.committed.elapsed() >= time,
            // A transaction is not left open while nothing comes.
            Every::Messages(_) => {
                let since =
                    self.came.elapsed() > Duration::from_secs(1) || self.committed.elapsed() > LONGEST;
                self.is_full() || since && self.pending.read > 0
            }
        }
    }

    /// Whether so many messages are pending as there should be, or the last of those wanted.
    fn is_full(&self) -> bool {
        let due = matches!(self.job.every, Every::Messages(count) if self.pending.read >= count);
        due || self.has_counted()
    }

    fn has_counted(&self) -> bool {
        matches!(self.job.until, Some(Until::Count(count)) if self.progress.read + self.pending.read >= count)
    }

    /// Whether all that was asked for was read, by us and the other members of the group.
    fn is_done(&mut self) -> Result<bool> {
        if self.job.until.is_none() {
            return Ok(false);
        }
        if self.has_counted() {
            return Ok(true);
        }
        if !self.taken || self.parts.iter().any(|part| part.end.is_none() || part.assigned && !part.is_done())
        {
            return Ok(false);
        }
        let others: Vec<_> = self.parts.iter().filter(|part| !part.assigned).collect();
        if others.is_empty() {
            return Ok(true);
        }
        if self.asked.elapsed() < Duration::from_millis(200) {
            return Ok(false);
        }
        self.asked = Instant::now();
        // They may be waiting for us as well.
        let places: Vec<_> = others.iter().map(|part| part.place.clone()).collect();
        self.commit()?;
        // What a member has that is gone will be given to us.
        let come = self.whereabouts(&places)?;
        let has = |part: &Part| part.end.is_some_and(|end| come.get(&part.place) >= Some(&end));
        Ok(self.parts.iter().filter(|part| !part.assigned).all(has))
    }

    /// Where the group has come to in these; where it has no offset, where it would begin.
    fn whereabouts(&self, places: &[kafka::Place]) -> Result<BTreeMap<kafka::Place, i64>> {
        let doing = || told(&self.doing);
        let mut from = BTreeMap::new();
        if self.job.group.is_some() {
            let committed = self.consumer.committed(places).map_err(doing())?;
            from.extend(committed.into_iter().map(|(place, committed)| (place, committed.offset)));
        }
        let new: Vec<_> = places.iter().filter(|place| !from.contains_key(place)).cloned().collect();
        from.extend(
            match self.job.begin {
                Begin::Earliest => self.cluster.begins(&new),
                Begin::Latest => self.cluster.ends(&new),
                Begin::Since(time_ms) => self.cluster.since(&new, time_ms),
            }
            .map_err(doing())?,
        );
        Ok(from)
    }
}

enum Step {
    Message(usize),
    End(kafka::Place, i64),
    Take(Vec<kafka::Place>),
    LetGo,
}

/// Hands a message on; `Some` says why it cannot be.
#[inline]
fn pass(
    message: &Message,
    form: Form,
    target: Option<&mut Target>,
    out: &mut Out,
    writer: &mut envelope::Writer,
    line: &mut Vec<u8>,
) -> Result<Option<Bad>> {
    if let Some(target) = target {
        return target.send(Load {
            partition: Some(message.partition()),
            time_ms: message.time_ms(),
            key: message.key().map(Into::into),
            value: message.value().map(Into::into),
            headers: message.headers().map(|(name, value)| (name.into(), value.map(Into::into))).collect(),
        });
    }
    if form == Form::Raw {
        match form::raw(message.value()) {
            Err(bad) => return Ok(Some(bad)),
            Ok(value) => {
                out.write(value)?;
                out.write(b"\n")?;
            }
        }
    } else {
        line.clear();
        write(message, writer, line);
        line.push(b'\n');
        out.write(line)?;
    }
    Ok(None)
}

fn write(message: &Message, writer: &mut envelope::Writer, line: &mut Vec<u8>) {
    let parts = envelope::Parts {
        topic: Some(message.topic()),
        partition: Some(message.partition()),
        offset: Some(message.offset()),
        time_ms: message.time_ms(),
        key: message.key(),
        value: message.value(),
    };
    writer.write(&parts, message.headers(), line);
}
