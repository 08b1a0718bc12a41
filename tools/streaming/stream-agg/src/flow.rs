//! Topics in, a topic out: exactly once, shared by all processes of a group.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use cli::{Answer, Context, Error};
use kafka::{
    Cluster, Committed, Connection, Consumer, Event, Isolation, Message, NewTopic, Outgoing, Partitioner,
    Place, Producer,
};
use process::Stop;
use serde::{Deserialize, Serialize};
use window::{Engine, Row};

use crate::ends::{self, End, Mark, Told};
use crate::job::Job;
use crate::read::{Bad, Batch, LINE_BYTES, Room};
use crate::run::{Counts, row_key, write_row};
use crate::stage::{Fate, Stage};
use crate::topics::Topics;

/// The largest message we write: a snapshot's piece, or a row.
const MESSAGE_BYTES: usize = 4 << 20;

/// What stands beside the offset of a partition that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// What was asked for.
    plan: String,
    /// The latest time seen, microseconds since 1970; null before the first row.
    latest_us: Option<i64>,
    /// Where to begin to remember rows again, and the latest time up to there.
    back: i64,
    back_latest_us: Option<i64>,
    /// Whether the input ended here, its windows closed.
    over: bool,
}

/// A partition that is read.
struct Source {
    place: Place,
    /// Its number among all there are, the same for everybody.
    number: usize,
    /// Its number in its lane's stage.
    at: usize,
    next: i64,
    committed: i64,
    /// Its end was seen after the last message.
    at_end: bool,
    heard: Instant,
    /// A message came since.
    speaks: bool,
    /// What the ends were told of it.
    told: Option<Told<'static>>,
    over: bool,
    /// Offsets that were committed, the latest time before each, the newest time after it.
    history: VecDeque<(i64, Option<i64>, i64)>,
}

/// Partitions whose rows meet: one, or those of the same number where rows are joined.
struct Lane<'a> {
    stage: Stage<'a>,
    sources: Vec<Source>,
}

/// What is written, in transactions.
struct Sender<'a> {
    producer: Producer,
    job: &'a Job,
    topics: &'a Topics,
    /// A transaction has begun.
    begun: bool,
    failed: Option<kafka::Error>,
    row: String,
    key: String,
    rows: u64,
    late_rows: u64,
}

struct Flow<'a> {
    job: &'a Job,
    topics: &'a Topics,
    connection: &'a Connection,
    cluster: Cluster,
    sender: Sender<'a>,
    plan: String,
    parts: String,
    parts_count: i32,
    /// Where they ended when we began.
    pinned: BTreeMap<Place, i64>,
    /// All partitions that are read by anybody, in the order of their numbers.
    all: Vec<Place>,
    lanes: Vec<Lane<'a>>,
    ends: BTreeMap<i32, End>,
    /// Partitions of parts whose ends were seen after the last message.
    at_end: BTreeSet<i32>,
    /// Whether partitions are missing that nobody else has.
    lacks: bool,
    counts: Counts,
    batch: Batch,
    room: Room,
    messages: u64,
    since: Instant,
    /// When we asked last how far the others are.
    asked: Instant,
}

/// How many messages go by between two looks at the clock.
const STRIDE: u32 = 1000;

/// Reads and writes until it is told to stop, or all is done.
pub(crate) fn run(job: &Job, topics: &Topics, connection: &Connection) -> cli::Result<(Counts, Answer)> {
    let stop = Stop::on_signals().and_then(|stop| stop.at(topics.deadline)).doing("catching signals")?;
    let cluster = connection.cluster().doing("asking the brokers")?;
    let all = partitions(&cluster, job, topics)?;
    let parts = format!("{}.parts", topics.group);
    let parts_count = own_topic(connection, &cluster, &parts, &all)?;
    let mut names: Vec<_> = topics.from.iter().chain(&job.reading.joined).map(|name| &**name).collect();
    let rejects = names.iter().filter_map(|name| topics.reject.of(name));
    for name in [topics.to.clone()].into_iter().chain(topics.late.clone()).chain(rejects) {
        cluster.topic(&name).doing(format!("looking for topic {name}"))?;
    }
    let pinned = cluster.ends(&all).doing("asking the brokers")?;
    let producer = writer(connection, topics)?;
    names.push(&parts);
    // Who comes back under a name gets its partitions back at once.
    let instance = topics.is_named.then_some(&*topics.transactional_id);
    let reader = Consumer::subscribed(connection, &topics.group, instance, Isolation::Committed, &names)
        .doing("joining the group")?;
    let mut flow = Flow {
        job,
        topics,
        connection,
        cluster,
        sender: Sender {
            producer,
            job,
            topics,
            begun: false,
            failed: None,
            row: String::new(),
            key: String::new(),
            rows: 0,
            late_rows: 0,
        },
        plan: files::sha256_hex(format!("{:?} {} {all:?}", job.plan, job.fingerprint).as_bytes())[..16]
            .to_owned(),
        parts: parts.clone(),
        parts_count,
        pinned,
        all,
        lanes: Vec::new(),
        ends: BTreeMap::new(),
        at_end: BTreeSet::new(),
        lacks: false,
        counts: Counts::default(),
        batch: Batch::default(),
        room: job.reading.room(),
        messages: 0,
        since: Instant::now(),
        asked: Instant::now(),
    };
    let went = flow.go(&reader, &stop);
    if topics.until_end && matches!(went, Ok(Answer::Yes)) {
        flow.settle()?;
    }
    if went.is_err() && flow.sender.begun {
        // What was begun is nobody's to see; a broker that is gone breaks it off itself.
        let _ = flow.sender.producer.abort();
    }
    went.map(|answer| (flow.counts, answer))
}

/// A writer, after which earlier ones with the same id can write no more.
fn writer(connection: &Connection, topics: &Topics) -> cli::Result<Producer> {
    let id = &topics.transactional_id;
    let producer = Producer::open(connection, Partitioner::Murmur2, Some(id), MESSAGE_BYTES)
        .doing("opening a writer")?;
    producer.init_transactions().doing(format!("beginning as {id}"))?;
    Ok(producer)
}

/// The partitions that are read, those of the same number side by side.
fn partitions(cluster: &Cluster, job: &Job, topics: &Topics) -> cli::Result<Vec<Place>> {
    let meet = job.reading.joined.is_some();
    let mut known = Vec::new();
    for name in topics.from.iter().chain(&job.reading.joined) {
        known.push(cluster.topic(name).doing(format!("looking for topic {name}"))?);
    }
    let most = known.iter().map(|topic| topic.partitions.len()).max().unwrap_or_default();
    if meet && let Some(odd) = known.iter().find(|topic| topic.partitions.len() != most) {
        let why = format!("{} has {} partitions, another one {most}", odd.name, odd.partitions.len());
        return Err(Error::invalid("joining topics", why)
            .hint("rows that meet must be in partitions of the same number: give both topics as many"));
    }
    let mut all = Vec::new();
    for number in 0..i32::try_from(most).unwrap_or(i32::MAX) {
        let here = known.iter().filter(|topic| topic.partitions.iter().any(|one| one.id == number));
        all.extend(here.map(|topic| Place::new(&topic.name, number)));
    }
    Ok(all)
}

/// The topic of parts, made if it is not there; how many partitions it has.
fn own_topic(connection: &Connection, cluster: &Cluster, name: &str, all: &[Place]) -> cli::Result<i32> {
    // Brokers hear of a new topic, and of who leads it, one after the other.
    let count = |topic: &kafka::Topic| {
        let led = !topic.partitions.is_empty() && topic.partitions.iter().all(|one| one.leader.is_some());
        led.then(|| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
    };
    let missing = match cluster.topic(name) {
        Ok(_) => false,
        Err(kafka::Error::NoSuchTopic(_)) => true,
        Err(error) => return Err(error).doing(format!("looking for topic {name}")),
    };
    if missing {
        make_own_topic(connection, cluster, name, all)?;
    }
    let until = Instant::now() + connection.patience();
    loop {
        let found = cluster.topic(name);
        match found.as_ref().ok().and_then(count) {
            Some(count) => return Ok(count),
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            None => {
                let error = found.err().unwrap_or(kafka::Error::NoLeader("it has no leader".to_owned()));
                return Err(error).doing(format!("looking for topic {name}"));
            }
        }
    }
}

fn make_own_topic(connection: &Connection, cluster: &Cluster, name: &str, all: &[Place]) -> cli::Result<()> {
    let model = cluster.topic(&all[0].topic).doing(format!("looking for topic {}", all[0].topic))?;
    let replicas = model.partitions.first().map_or(1, |partition| partition.replicas.len());
    let config = [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")];
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: u32::try_from(model.partitions.len()).unwrap_or(u32::MAX),
        replicas: u16::try_from(replicas).unwrap_or(1),
        config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
    };
    match connection.admin().doing("asking the brokers")?.create(&topic) {
        Ok(()) | Err(kafka::Error::TopicExists(_)) => Ok(()),
        Err(error) => Err(error).doing(format!("making topic {name}")),
    }
}

impl Flow<'_> {
    fn go(&mut self, reader: &Consumer, stop: &Stop) -> cli::Result<Answer> {
        loop {
            match self.step(reader, stop) {
                Ok(None) => {}
                Ok(Some(answer)) => return Ok(answer),
                Err(Failure::Kafka(kafka::Error::Fenced)) => {
                    self.sender.begun = false;
                    cli::warn_hint(
                        format!("fenced: another one writes as {}", self.topics.transactional_id),
                        "each process needs a --txn-id of its own; a retry would throw the other one out",
                    );
                    return Ok(Answer::No);
                }
                // Others have our partitions: what we did not commit they do again.
                Err(Failure::Kafka(kafka::Error::Rebalanced)) => self.give_up()?,
                Err(Failure::Kafka(kafka::Error::Stuck)) => self.begin_again(reader)?,
                Err(Failure::Kafka(error)) => return Err(error).doing("writing"),
                Err(Failure::Other(error)) => return Err(error),
            }
        }
    }

    fn step(&mut self, reader: &Consumer, stop: &Stop) -> Went<Option<Answer>> {
        let mut wait = Duration::from_millis(20);
        // Messages that are there are taken without a look at the clock.
        for _ in 0..STRIDE {
            let event = match reader.poll(std::mem::take(&mut wait)) {
                Err(kafka::Error::Fenced) => return Err(Failure::Kafka(kafka::Error::Fenced)),
                event => event.doing("reading")?,
            };
            let Event::Message(message) = event else {
                self.told(reader, event)?;
                break;
            };
            self.message(&message)?;
            if self.messages >= self.topics.commit_rows {
                break;
            }
        }
        for source in self.lanes.iter_mut().flat_map(|lane| &mut lane.sources) {
            if std::mem::take(&mut source.speaks) {
                source.heard = Instant::now();
            }
        }
        if stop.requested() {
            self.commit(reader)?;
            if self.topics.until_end || stop.is_over() {
                return Err(Error::unavailable("reading", stop.why()).into());
            }
            return Ok(Some(Answer::Yes));
        }
        let due =
            self.messages >= self.topics.commit_rows || self.since.elapsed() >= self.topics.commit_every;
        let ended = self.has_ended();
        if due || ended {
            self.commit(reader)?;
        }
        Ok((ended && self.is_done() && self.are_others_done(reader)?).then_some(Answer::Yes))
    }

    /// What is told beside messages.
    fn told(&mut self, reader: &Consumer, event: Event) -> Went<()> {
        match event {
            Event::End(place, offset) => self.ended(&place, offset),
            Event::Assigned(places) => self.assigned(reader, &places)?,
            Event::Revoked(_) => {
                if !reader.has_lost() {
                    self.commit(reader)?;
                }
                self.give_up()?;
                reader.let_go().doing("giving partitions back")?;
            }
            Event::Message(_) | Event::Nothing => {}
        }
        Ok(())
    }

    fn lane_of(&self, topic: &str, partition: i32) -> Option<(usize, usize)> {
        self.lanes.iter().enumerate().find_map(|(lane, found)| {
            let is_it = |source: &Source| source.place.partition == partition && source.place.topic == topic;
            found.sources.iter().position(is_it).map(|source| (lane, source))
        })
    }

    /// A message of a topic that is read, or of the topic of parts.
    fn message(&mut self, message: &Message) -> Went<()> {
        let topic = message.topic();
        let Some((lane, source)) = self.lane_of(topic, message.partition()) else {
            return if topic == self.parts { self.part(message) } else { Ok(()) };
        };
        let Lane { stage, sources } = &mut self.lanes[lane];
        let source = &mut sources[source];
        source.next = message.offset() + 1;
        source.at_end = false;
        source.speaks = true;
        self.messages += 1;
        let value = message.value().unwrap_or_default();
        let is_joined = self.job.reading.joined.as_deref() == Some(topic);
        let taken =
            take(self.job, stage, source.at, is_joined, value, &mut self.room, &mut self.batch, &mut |_| {});
        self.counts.read += 1;
        match taken {
            Ok(Fate::Counted) => self.counts.aggregated += 1,
            Ok(Fate::Duplicate) => self.counts.duplicate += 1,
            Ok(Fate::Late) => {
                self.counts.late += 1;
                if let Some(topic) = &self.topics.late {
                    self.sender.copy(topic, message, &[])?;
                }
            }
            Err(bad) => {
                self.counts.rejected += 1;
                let Some(topic) = &self.topics.reject.of(message.topic()) else {
                    let doing = format!("reading {} {}", source.place, message.offset());
                    let error = Error::invalid(doing, bad);
                    return Err(error.hint("--reject topic:NAME puts bad rows aside and goes on").into());
                };
                let offset = message.offset().to_string();
                let partition = message.partition().to_string();
                let (field, why) = match &bad {
                    Bad::Field { field, why } => (Some(field.as_str()), why.clone()),
                    other => (None, other.to_string()),
                };
                let mut headers: Vec<(&[u8], Option<&[u8]>)> = vec![
                    (b"error", Some(why.as_bytes())),
                    (b"topic", Some(message.topic().as_bytes())),
                    (b"partition", Some(partition.as_bytes())),
                    (b"offset", Some(offset.as_bytes())),
                ];
                headers.extend(field.map(|field| (&b"field"[..], Some(field.as_bytes()))));
                self.sender.copy(topic, message, &headers)?;
            }
        }
        Ok(())
    }

    /// A message of the topic of parts.
    fn part(&mut self, message: &Message) -> Went<()> {
        let Some(end) = self.ends.get_mut(&message.partition()) else { return Ok(()) };
        self.at_end.remove(&message.partition());
        self.messages += 1;
        let place = Place::new(&self.parts, message.partition());
        let bytes = message.value().unwrap_or_default();
        let sender = std::cell::RefCell::new(&mut self.sender);
        end.take(
            &place,
            message.offset(),
            bytes,
            &mut |row| sender.borrow_mut().row(row, false),
            &mut |row| sender.borrow_mut().row(row, true),
        )?;
        self.sender.check()
    }

    fn ended(&mut self, place: &Place, offset: i64) {
        if place.topic == self.parts {
            if let Some(end) = self.ends.get_mut(&place.partition) {
                self.at_end.insert(place.partition);
                end.next = end.next.max(offset);
            }
        } else if let Some((lane, source)) = self.lane_of(&place.topic, place.partition) {
            let source = &mut self.lanes[lane].sources[source];
            source.at_end = true;
            source.next = source.next.max(offset);
        }
    }

    /// Whether there is an end, and everything up to it was read here.
    fn has_ended(&self) -> bool {
        self.topics.until_end
            && self.all_read()
            && self.at_end.len() == self.ends.len()
            && !self.is_waiting()
            && !self.lacks
    }

    /// Whether our sources were read up to where they ended when we began.
    fn all_read(&self) -> bool {
        let pinned = |source: &Source| self.pinned.get(&source.place).is_none_or(|end| source.next >= *end);
        let mut sources = self.lanes.iter().flat_map(|lane| &lane.sources);
        sources.all(|source| source.at_end || source.over || pinned(source))
    }

    /// Whether nothing was given to us yet.
    fn is_waiting(&self) -> bool {
        self.lanes.is_empty() && self.ends.is_empty()
    }

    /// Whether, after a commit, nothing is left to do.
    fn is_done(&self) -> bool {
        let nothing_new = self.at_end.len() == self.ends.len();
        let closed = || self.ends.values().all(|end| end.is_over(&self.job.plan));
        nothing_new && (!self.topics.flush || closed())
    }

    /// Whether the other members have read what they have, and we what they made of it. What a
    /// dead one had will be given to us.
    fn are_others_done(&mut self, reader: &Consumer) -> cli::Result<bool> {
        let doing = "asking how far the group is";
        let sources = self.all.iter().filter(|place| self.lane_of(&place.topic, place.partition).is_none());
        let mut others: Vec<_> = sources.cloned().collect();
        let parts: Vec<_> = (0..self.parts_count).map(|number| Place::new(&self.parts, number)).collect();
        others.extend(parts.iter().filter(|place| !self.ends.contains_key(&place.partition)).cloned());
        if others.is_empty() {
            return Ok(true);
        }
        if self.asked.elapsed() < Duration::from_millis(200) {
            return Ok(false);
        }
        self.asked = Instant::now();
        let mut come = self.cluster.begins(&others).doing(doing)?;
        let committed = reader.committed(&others).doing(doing)?;
        come.extend(committed.into_iter().map(|(place, committed)| (place, committed.offset)));
        come.extend(self.ends.iter().map(|(number, end)| (Place::new(&self.parts, *number), end.next)));
        // What is about to be committed counts as well.
        let asks = self.connection.cluster_uncommitted().doing(doing)?;
        let mut ends = asks.ends(&parts).doing(doing)?;
        ends.extend(self.pinned.iter().map(|(place, end)| (place.clone(), *end)));
        Ok(come.iter().all(|(place, come)| ends.get(place).is_none_or(|end| come >= end)))
    }

    /// The group gives us partitions: takes them up where they were.
    fn assigned(&mut self, reader: &Consumer, places: &[Place]) -> cli::Result<()> {
        let doing = "taking partitions up";
        let committed = reader.committed(places).doing(doing)?;
        let begins = self.cluster.begins(places).doing(doing)?;
        let mut from = BTreeMap::new();
        for place in places {
            let begin = begins.get(place).copied().unwrap_or_default();
            let known = committed.get(place);
            let next = known.map_or(begin, |known| known.offset);
            if next < begin {
                let why = format!("messages {next} to {} were deleted before they were read", begin - 1);
                return Err(Error::invalid(format!("reading {place}"), why).hint(
                    "make the topic's retention.ms longer than anybody is away; another --group begins anew",
                ));
            }
            from.insert(place.clone(), next);
            if place.topic == self.parts {
                let mark = self.mark(place, known)?.unwrap_or(Mark {
                    plan: self.plan.clone(),
                    upto: begin,
                    snapshot: false,
                });
                let (plan, sources) = (&self.job.plan, self.all.len());
                let end = End::recover(plan, sources, mark, next, self.connection, place)?;
                self.ends.insert(place.partition, end);
            } else {
                let progress: Progress = self.mark(place, known)?.unwrap_or_default();
                self.open(place, next, known.is_some(), &progress)?;
            }
        }
        // Alone we have everything; if not, the group has not heard of a topic yet.
        let some = places.len() < self.all.len() + usize::try_from(self.parts_count).unwrap_or_default();
        self.lacks = some && self.topics.until_end && {
            let group = self.cluster.group(&self.topics.group).doing(doing)?;
            group.members.len() <= 1
        };
        reader.take(&from).doing(doing)?;
        self.since = Instant::now();
        Ok(())
    }

    /// What was left beside an offset.
    fn mark<T: for<'b> Deserialize<'b> + Planned>(
        &self,
        place: &Place,
        known: Option<&Committed>,
    ) -> cli::Result<Option<T>> {
        let Some(known) = known else { return Ok(None) };
        let doing = format!("taking {place} up");
        let another = || {
            Error::invalid(&doing, "the group has come so far with windows that were asked for otherwise")
                .hint("another --group begins anew")
        };
        let mark: T = serde_json::from_str(&known.metadata).map_err(|_| another())?;
        if mark.plan() == self.plan { Ok(Some(mark)) } else { Err(another()) }
    }

    /// A source, in a lane of its own or with those of the same number.
    fn open(&mut self, place: &Place, next: i64, known: bool, progress: &Progress) -> cli::Result<()> {
        let Some(number) = self.all.iter().position(|one| one == place) else {
            return Err(Error::invalid(format!("reading {place}"), "the topic has got more partitions")
                .hint("start it again; with rows that are joined, both topics need as many"));
        };
        let meets = self.job.reading.joined.is_some();
        let known_lane =
            self.lanes.iter().position(|lane| meets && lane.sources[0].place.partition == place.partition);
        let lane = if let Some(lane) = known_lane {
            lane
        } else {
            let engine = Engine::gathering(self.job.plan.clone()).invalid("reading arguments")?;
            self.lanes.push(Lane { stage: Stage::new(self.job, engine), sources: Vec::new() });
            self.lanes.len() - 1
        };
        let Lane { stage, sources } = &mut self.lanes[lane];
        let at = stage.partition(&place.topic, place.partition);
        let saw = |stage: &mut Stage, latest: Option<i64>| {
            if let Some(latest_us) = latest {
                stage.engine.saw(at, latest_us, &mut |_| {});
            }
        };
        let mut source = Source {
            place: place.clone(),
            number,
            at,
            next,
            committed: if known { next } else { -1 },
            at_end: false,
            heard: Instant::now(),
            speaks: false,
            told: None,
            over: progress.over,
            history: VecDeque::new(),
        };
        if known && stage.remembers() {
            saw(stage, progress.back_latest_us);
            source.history.push_back((progress.back, progress.back_latest_us, i64::MAX));
            let is_joined = self.job.reading.joined.as_ref() == Some(&place.topic);
            let (job, room, batch) = (self.job, &mut self.room, &mut self.batch);
            ends::again(self.connection, place, progress.back, next, &mut |_, value| {
                // What is remembered counts, what came of it was written long ago.
                let _ = take(job, stage, at, is_joined, value, room, batch, &mut |_| {});
                Ok(false)
            })?;
            stage.engine.shed(&mut |_, _| {});
        }
        saw(stage, progress.latest_us);
        sources.push(source);
        Ok(())
    }

    /// Waits until readers of what is committed see what we committed: the brokers say yes before
    /// every partition knows of it.
    fn settle(&self) -> cli::Result<()> {
        let written: BTreeMap<_, _> =
            self.sender.producer.delivered().runs().map(|(place, run)| (place, run.last)).collect();
        let places: Vec<_> = written.keys().cloned().collect();
        let until = Instant::now() + self.connection.patience();
        loop {
            let ends = self.cluster.ends(&places).doing("asking for what is committed")?;
            if written.iter().all(|(place, last)| ends.get(place).is_some_and(|end| end > last)) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Error::unavailable("committing", "some of it cannot be seen yet"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets go of everything that is not committed, and of all partitions.
    fn give_up(&mut self) -> cli::Result<()> {
        (self.lanes, self.ends, self.at_end) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        self.sender.failed = None;
        if std::mem::take(&mut self.sender.begun) {
            self.sender.producer.abort().doing("breaking a transaction off")?;
        }
        Ok(())
    }

    /// The transaction has no end: a new writer breaks it off, and what was in it is read again.
    fn begin_again(&mut self, reader: &Consumer) -> cli::Result<()> {
        cli::note("committing: the group's coordinator was not found in time: begins again");
        let sources = self.lanes.iter().flat_map(|lane| &lane.sources).map(|source| source.place.clone());
        let parts = self.ends.keys().map(|partition| Place::new(&self.parts, *partition));
        let ours: Vec<_> = sources.chain(parts).collect();
        self.sender.begun = false;
        self.sender.producer = writer(self.connection, self.topics)?;
        self.give_up()?;
        self.assigned(reader, &ours)
    }

    /// Writes what was gathered, and how far we are, as one.
    fn commit(&mut self, reader: &Consumer) -> Went<()> {
        self.since = Instant::now();
        self.messages = 0;
        let mut next = BTreeMap::new();
        let flush = self.topics.flush;
        let everything_read = self.all_read();
        // All parts before any watermark: no source is over for what was read beside it.
        let (sender, parts) = (&mut self.sender, &self.parts);
        for Lane { stage, .. } in &mut self.lanes {
            stage.tidy();
            stage
                .engine
                .shed(&mut |key, part| sender.send(parts, None, Some(key), &Told::Part(&part).bytes()));
        }
        for Lane { stage, sources } in &mut self.lanes {
            for source in sources {
                let latest_us = stage.engine.latest_us(source.at);
                if flush && everything_read {
                    source.over = true;
                }
                let quiet =
                    self.topics.idle.is_some_and(|idle| source.at_end && source.heard.elapsed() >= idle);
                let tell = match latest_us {
                    _ if source.over => Some(Told::Saw(source.number, i64::MAX)),
                    _ if quiet => Some(Told::Idle(source.number)),
                    Some(latest_us) => Some(Told::Saw(source.number, latest_us)),
                    None => None,
                };
                if tell != source.told
                    && let Some(told) = &tell
                {
                    for partition in 0..self.parts_count {
                        self.sender.send(&self.parts, Some(partition), None, &told.bytes());
                        self.at_end.remove(&partition);
                    }
                } else if source.next == source.committed {
                    continue;
                }
                source.told = tell;
                source.committed = source.next;
                let progress = source.progress(&self.plan, latest_us, stage);
                let metadata = serde_json::to_string(&progress).unwrap_or_default();
                next.insert(source.place.clone(), Committed { offset: source.next, metadata });
            }
        }
        let mut gone = BTreeMap::new();
        for (partition, end) in &mut self.ends {
            let place = Place::new(&self.parts, *partition);
            if let Some(saved) = end.snapshot() {
                for piece in Told::snapshot(end.mark.upto, &saved) {
                    self.sender.send(&self.parts, Some(*partition), None, &piece.bytes());
                }
                gone.insert(place.clone(), end.mark.upto);
            }
            if end.next != end.committed {
                end.committed = end.next;
                let metadata = serde_json::to_string(&end.mark).unwrap_or_default();
                next.insert(place, Committed { offset: end.next, metadata });
            }
        }
        self.sender.check()?;
        self.counts.rows += std::mem::take(&mut self.sender.rows);
        self.counts.late_rows += std::mem::take(&mut self.sender.late_rows);
        if next.is_empty() && !self.sender.begun {
            return Ok(());
        }
        self.sender.begin().map_err(Failure::Kafka)?;
        let group = reader.group_metadata().map_err(Failure::Kafka)?;
        self.sender.producer.send_progress(&next, group).map_err(Failure::Kafka)?;
        self.sender.producer.commit().map_err(Failure::Kafka)?;
        self.sender.begun = false;
        if !gone.is_empty() {
            // Nobody reads these again. Where we may not delete they stay.
            let deleted = self.connection.admin().and_then(|admin| admin.delete_records(&gone));
            if let Err(error) = deleted {
                cli::note(format!("parts that are done with stay in {}: {error}", self.parts));
            }
        }
        Ok(())
    }
}

/// What Kafka said to a writer, which may be no failure, or anything else.
enum Failure {
    Kafka(kafka::Error),
    Other(Error),
}

type Went<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// What is left beside an offset knows what it is of.
trait Planned {
    fn plan(&self) -> &str;
}

impl Planned for Progress {
    fn plan(&self) -> &str {
        &self.plan
    }
}

impl Planned for Mark {
    fn plan(&self) -> &str {
        &self.plan
    }
}

/// Reads a value and takes it through a stage.
#[expect(clippy::too_many_arguments, reason = "rooms of a loop")]
fn take(
    job: &Job,
    stage: &mut Stage,
    at: usize,
    is_joined: bool,
    value: &[u8],
    room: &mut Room,
    batch: &mut Batch,
    sink: &mut impl FnMut(&Row),
) -> Result<Fate, Bad> {
    if value.len() > LINE_BYTES {
        return Err(Bad::TooLong);
    }
    batch.clear();
    let found = if is_joined {
        job.reading.joined_row(value, room, batch)
    } else {
        job.reading.row(value, room, batch)
    };
    stage.take(at, batch, &found?, value, sink)
}

impl Source {
    fn progress(&mut self, plan: &str, latest_us: Option<i64>, stage: &Stage) -> Progress {
        if !stage.remembers() {
            let back = self.next;
            return Progress {
                plan: plan.to_owned(),
                latest_us,
                back,
                back_latest_us: latest_us,
                over: self.over,
            };
        }
        // What came before a segment whose newest row is forgotten is forgotten, too.
        if let Some(last) = self.history.back_mut() {
            last.2 = latest_us.unwrap_or(i64::MIN);
        }
        self.history.push_back((self.next, latest_us, i64::MAX));
        let forgotten_us = stage.forgotten_us();
        while self.history.len() > 1 && self.history[0].2 < forgotten_us {
            self.history.pop_front();
        }
        let (back, back_latest_us, _) = self.history[0];
        Progress { plan: plan.to_owned(), latest_us, back, back_latest_us, over: self.over }
    }
}

impl Sender<'_> {
    fn begin(&mut self) -> kafka::Result<()> {
        if !self.begun {
            self.producer.begin()?;
            self.begun = true;
        }
        Ok(())
    }

    /// Writes a message; what goes wrong is told by [`Sender::check`].
    fn send(&mut self, topic: &str, partition: Option<i32>, key: Option<&[u8]>, value: &[u8]) {
        let message = Outgoing { topic, partition, key, value: Some(value), time_ms: None, headers: &[] };
        self.put(&message);
    }

    fn put(&mut self, message: &Outgoing) {
        if self.failed.is_none() {
            let sent = self.begin().and_then(|()| self.producer.send(message));
            self.failed = sent.err();
        }
    }

    fn check(&mut self) -> Went<()> {
        self.failed.take().map_or(Ok(()), |error| Err(Failure::Kafka(error)))
    }

    /// A row of the output; one that is late goes to the topic of late rows.
    fn row(&mut self, row: &Row, late: bool) {
        let (mut text, mut key) = (std::mem::take(&mut self.row), std::mem::take(&mut self.key));
        text.clear();
        key.clear();
        let written = if late { &mut self.late_rows } else { &mut self.rows };
        write_row(row, self.job, &mut text, written);
        row_key(row, self.job, &mut key);
        let topic = if late { self.topics.late.as_deref() } else { Some(&*self.topics.to) };
        if let Some(topic) = topic {
            self.send(topic, None, Some(key.as_bytes()), text.trim_end().as_bytes());
        }
        (self.row, self.key) = (text, key);
    }

    /// A message as it came, with more headers.
    fn copy(&mut self, topic: &str, message: &Message, more: &[(&[u8], Option<&[u8]>)]) -> Went<()> {
        let headers: Vec<_> = message.headers().chain(more.iter().copied()).collect();
        self.put(&Outgoing {
            topic,
            partition: None,
            key: message.key(),
            value: message.value(),
            time_ms: message.time_ms(),
            headers: &headers,
        });
        self.check()
    }
}
