//! Makes Kafka's topics as the pipeline document says.
//!
//! `check` tells what is not so, `plan` shows every change and touches nothing,
//! `apply` makes the changes, `undo` takes the last apply back. Made are the
//! document's `topics`, and what goes with them: `NAME.reject`, one partition, for
//! every topic a source writes or a step of our own reads, and `PIPELINE.STEP.parts`,
//! where stream-agg keeps what its windows hold. One the document names itself is as
//! the document says; of the others partitions and replicas stay as they were made.
//!
//! ```sh
//! kafka-topics plan --pipeline pipeline.yaml || kafka-topics apply --pipeline pipeline.yaml
//! ```
//!
//! A change record shows partitions, replicas and the settings made for a topic:
//!
//! ```sh
//! kafka-topics plan --pipeline pipeline.yaml | jq -r .diff
//! ```
//!
//! The document's errors are told before anybody is asked:
//!
//! ```console
//! $ sed 's/X: {partitions: 2}/X: {partitions: 0}/' pipeline.yaml | kafka-topics plan --pipeline - || echo "status $?"
//! kafka-topics: reading standard input: line 13 column 19: topics.X.partitions: 0 is not a whole number from 1 to 10000
//! status 2
//! $ kafka-topics plan --pipeline pipeline.yaml --brokers 127.0.0.1:1 --security file:/dev/null --timeout 500ms || echo "status $?"
//! kafka-topics: reading __bareplane-topics: 127.0.0.1:1: connection refused
//! status 3
//! ```
//!
//! # What is changed, and what is not
//!
//! - A setting the document does not name stays as it is, unless this command made
//!   it and the document has dropped it since: then it is given back to the brokers.
//! - Partitions never become fewer (`partition_decrease`, status 2). They become more
//!   only with `--allow-partition-increase` (`partition_increase`, status 1 without it):
//!   keys move to other partitions then, the rows of a key are in two places, and what
//!   is counted or joined by key is wrong until the old ones are read.
//! - How many brokers keep a topic is not changed (`replicas_change`, status 2): that
//!   moves all it holds; kafka-reassign-partitions.sh does it.
//! - Topics stay when the document drops them. `--prune` deletes those this command
//!   made for this pipeline and that hold no message; `--prune-messages` those that
//!   do as well (`not_empty`, status 1 without it).
//!
//! All that is refused is told at once, and nothing is changed.
//!
//! # Undo
//!
//! Puts settings back that nobody has changed since (`changed_since`), deletes topics
//! the apply made if they hold no message (`not_empty`), and makes those again it
//! pruned, without their messages. Partitions that were added stay
//! (`partition_decrease`). What can not be taken back is told, status 1; the rest is.
//! Only the last apply can be undone, and once.
//!
//! # Killed
//!
//! An apply says what it is about to do before it does it. The next one makes what is
//! left, and `undo` takes both back.
//!
//! # Files
//!
//! None here. What was made for which pipeline, and the last apply, are in the topic
//! `__bareplane-topics` of the cluster, compacted, so that the next run may be on
//! another machine. A topic that comes into being while an apply that makes it is
//! under way counts as ours.
//!
//! # Exit status
//!
//! 0 all is so, or done; 1 changes pending, a check fails, or a guard refuses; 2 the
//! document or an argument is wrong, or wants what can not be; 3 the brokers do not
//! answer, or too few are there (`not_enough_brokers`). A step record carries the word.

mod ledger;
mod look;
mod plan;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Args as Group, Parser, Subcommand};
use cli::{Answer, Brokers, Context, Error, Input, Out, Steps};
use kafka::{Admin, Cluster, Connection, NewTopic};
use model::Kind;
use pipeline::Pipeline;

use crate::ledger::{Ledger, Writer};
use crate::plan::{Allowed, Known, Move, Plan, Refusal, Shape};

/// Make Kafka's topics as the pipeline document says
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell what is not as the document says
    Check(Job),
    /// Show what would change
    Plan {
        #[command(flatten)]
        job: Job,
        #[command(flatten)]
        may: May,
    },
    /// Make it so
    Apply {
        #[command(flatten)]
        job: Job,
        #[command(flatten)]
        may: May,
    },
    /// Take the last apply back
    Undo(Job),
}

#[derive(Group)]
struct Job {
    /// The pipeline document; standard input if `-`
    #[arg(long, value_name = "FILE")]
    pipeline: Input,
    #[command(flatten)]
    brokers: Brokers,
}

#[derive(Group)]
struct May {
    /// Add partitions, though keys move to other ones
    #[arg(long)]
    allow_partition_increase: bool,
    /// Delete empty topics made for this pipeline that the document no longer has
    #[arg(long)]
    prune: bool,
    /// Delete those that hold messages as well
    #[arg(long)]
    prune_messages: bool,
}

impl May {
    fn allowed(&self) -> Allowed {
        Allowed {
            partition_increase: self.allow_partition_increase,
            prune: self.prune,
            prune_messages: self.prune_messages,
        }
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Check(job) => {
            let site = Site::open(job)?;
            let (wanted, known, plan) = site.decide(&site.ledger()?, Allowed::default())?;
            let findings = plan::findings(&wanted, &known, &plan);
            findings.iter().try_for_each(|finding| out.emit(finding))?;
            Ok(Answer::from(findings.iter().all(|finding| finding.status != model::Status::Fail)))
        }
        Verb::Plan { job, may } => {
            let site = Site::open(job)?;
            let (_, _, plan) = site.decide(&site.ledger()?, may.allowed())?;
            plan.moves.iter().try_for_each(|update| out.emit(&update.record()))?;
            refused("planning", &plan.refusals, out)?;
            Ok(Answer::from(plan.moves.is_empty() && plan.refusals.is_empty()))
        }
        Verb::Apply { job, may } => Site::open(job)?.apply(may.allowed(), out),
        Verb::Undo(job) => Site::open(job)?.undo(out),
    }
}

/// Tells what is refused: an error if that is for good or for now, a no if a guard does.
fn refused(doing: &str, refusals: &[Refusal], out: &mut Out) -> cli::Result {
    for refusal in refusals {
        cli::warn_hint(format!("topic {}: {}", refusal.topic, refusal.why), &refusal.fix);
        Steps::new(out).failed(&format!("{doing} {}", refusal.topic), refusal.word)?;
    }
    let count = |kind| refusals.iter().filter(|refusal| refusal.kind == kind).count();
    let why = |count| format!("{count} of the topics can not become what is wanted");
    match (count(Some(Kind::Invalid)), count(Some(Kind::Unavailable))) {
        (0, 0) => Ok(Answer::from(refusals.is_empty())),
        (0, count) => Err(Error::unavailable(doing, why(count))),
        (count, _) => Err(Error::invalid(doing, why(count))),
    }
}

type Wanted = BTreeMap<String, Shape>;

/// The brokers, and what is wanted of them.
struct Site {
    pipeline: Pipeline,
    connection: Connection,
    cluster: Cluster,
    admin: Admin,
    deadline: Option<Instant>,
}

impl Site {
    fn open(job: &Job) -> cli::Result<Self> {
        let pipeline = job.pipeline.pipeline()?;
        let connection = job.brokers.connection(pipeline.kafka.as_ref())?;
        let cluster = connection.cluster_uncommitted().doing("connecting")?;
        let admin = connection.admin().doing("connecting")?;
        Ok(Self { pipeline, connection, cluster, admin, deadline: job.brokers.deadline() })
    }

    fn ledger(&self) -> cli::Result<Ledger> {
        Ledger::read(&self.connection, &self.cluster, &self.pipeline.name)
    }

    /// What is wanted, what there is, and what is to be done.
    fn decide(&self, ledger: &Ledger, allowed: Allowed) -> cli::Result<(Wanted, Known, Plan)> {
        let brokers = self.cluster.brokers().doing("asking for the brokers")?;
        let mut wanted = look::wanted(&self.pipeline);
        let mut names: Vec<_> = wanted.keys().collect();
        names.extend(ledger.owned.keys().filter(|name| !wanted.contains_key(*name)));
        let found = look::look(&self.cluster, &self.admin, names)?;
        for (name, shape) in wanted.iter_mut().filter(|(name, _)| !self.pipeline.topics.contains_key(*name)) {
            if let Some(found) = found.get(name) {
                (shape.partitions, shape.replicas) = (found.shape.partitions, found.shape.replicas);
            }
        }
        let known = Known { found, owned: ledger.owned.clone(), brokers };
        let plan = plan::plan(&wanted, &known, allowed);
        Ok((wanted, known, plan))
    }

    fn apply(&self, allowed: Allowed, out: &mut Out) -> cli::Result {
        let ledger = self.ledger()?;
        let (_, _, plan) = self.decide(&ledger, allowed)?;
        if refused("applying", &plan.refusals, out)? == Answer::No {
            return Ok(Answer::No);
        }
        let unfinished = ledger.last.as_ref().is_some_and(|last| !last.done);
        if plan.moves.is_empty() && !unfinished {
            return Ok(Answer::Yes);
        }
        let writer = Writer::open(&self.connection, &self.cluster, &self.admin, &self.pipeline.name)?;
        let mut apply = ledger::merge(ledger.last, plan.moves.clone(), now_ms());
        writer.apply(&apply)?;
        for update in &plan.moves {
            self.make(update)?;
            out.emit(&update.record())?;
            out.flush()?;
        }
        apply.done = true;
        writer.apply(&apply)?;
        Ok(Answer::Yes)
    }

    fn undo(&self, out: &mut Out) -> cli::Result {
        let last = self.ledger()?.last.ok_or_else(ledger::nothing)?;
        let found = look::look(&self.cluster, &self.admin, last.moves.iter().map(|update| &update.topic))?;
        let plan = plan::back(&last.moves, &found);
        let writer = Writer::open(&self.connection, &self.cluster, &self.admin, &self.pipeline.name)?;
        for update in &plan.moves {
            self.make(update)?;
            out.emit(&update.record())?;
            out.flush()?;
        }
        let answer = refused("undoing", &plan.refusals, out)?;
        writer.undone(&plan.moves)?;
        Ok(answer)
    }

    /// Makes one change. One that is made already is none.
    fn make(&self, update: &Move) -> cli::Result<()> {
        let (name, doing) = (&update.topic, format!("changing topic {}", update.topic));
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(Error::unavailable(doing, "deadline: --timeout is over"));
        }
        match (&update.before, &update.after) {
            (None, Some(shape)) => {
                let new = NewTopic {
                    name: name.clone(),
                    partitions: shape.partitions,
                    replicas: shape.replicas,
                    config: shape.config.clone(),
                };
                match self.admin.create(&new) {
                    Err(kafka::Error::TopicExists(_)) => Ok(()),
                    made => made.doing(doing),
                }
            }
            (_, None) => match self.admin.delete(&[name]) {
                Err(kafka::Error::NoSuchTopic(_)) => Ok(()),
                gone => gone.doing(doing),
            },
            (Some(before), Some(after)) => {
                if after.partitions > before.partitions {
                    self.admin.add_partitions(name, after.partitions).doing(&doing)?;
                }
                let settings = update.settings();
                if settings.is_empty() { Ok(()) } else { self.admin.alter(name, &settings).doing(doing) }
            }
        }
    }
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
