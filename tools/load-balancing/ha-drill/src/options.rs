//! The options both verbs share, and the drill they make.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cli::{Context, Error, Input, Metrics, Result};
use model::{Drill as Drilled, DrillRun, PredictedMs, Prediction};
use probe::{Pace, Target, Trust};
use process::Stop;

use crate::health::{Curfew, Health};
use crate::holder::Node;
use crate::lab::{Lab, Via, ip_address};
use crate::measure::{ms, spread, within};
use crate::run::Drill;
use crate::scenario::{Commands, Scenario};
use crate::words::Words;

/// The longest lab file.
const LAB_BYTES: u64 = 1 << 20;

/// The most clients that may be under way at once.
const WORKERS: u32 = 1024;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// What to break
    #[arg(value_name = "SCENARIO", default_value = "custom")]
    pub(crate) scenario: Scenario,
    /// Ask URL, as clients do, through the virtual address
    #[arg(long, value_name = "URL")]
    target: String,
    /// Believe certificates signed by the authorities in FILE (PEM)
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Believe any certificate
    #[arg(long, conflicts_with = "cacert")]
    insecure: bool,
    /// Expect the certificate to be for NAME, not for the URL's host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Take these HTTP statuses for good answers
    #[arg(long, value_name = "STATUS", value_delimiter = ',', default_value = "200")]
    expect: Vec<u16>,

    /// Read nodes and commands from a lab file (see Files)
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    lab: Option<Input>,
    /// Run commands on NODE through the words of PREFIX, such as lb1='ssh lb1' (repeatable)
    #[arg(long, value_name = "NODE=PREFIX", help_heading = "Where")]
    via: Vec<Via>,
    /// Break NODE, not the one that holds the address
    #[arg(long, value_name = "NODE", help_heading = "Where")]
    node: Option<String>,
    /// Have a node's addresses printed by CMD [default: {via} ip -json address]
    #[arg(long, value_name = "CMD", help_heading = "Where")]
    holder_cmd: Option<Words>,
    /// Call it well only if CMD succeeds
    #[arg(long, value_name = "CMD", help_heading = "Where")]
    ready_cmd: Option<Words>,
    /// Run CMD before all measuring
    #[arg(long, value_name = "CMD", requires = "inject", help_heading = "Where")]
    prepare: Option<Words>,
    /// Break it with CMD, run here unless its first word is {via}
    #[arg(long, value_name = "CMD", requires = "heal", help_heading = "Where")]
    inject: Option<Words>,
    /// Heal it with CMD, which must do no harm where nothing is broken; `true` if nothing needs it
    #[arg(long, value_name = "CMD", requires = "inject", help_heading = "Where")]
    heal: Option<Words>,

    /// Let N new clients come each second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "How")]
    rate: u32,
    /// Let a client wait so long for its answer
    #[arg(long, value_name = "TIME", default_value = "300ms", help_heading = "How")]
    deadline: cli::Duration,
    /// Let clients come for so long
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = "How")]
    duration: cli::Duration,
    /// Break it so long after the first client
    #[arg(long, value_name = "TIME", default_value = "1500ms", help_heading = "How")]
    at: cli::Duration,
    /// Do it N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "How")]
    pub(crate) runs: u32,
    /// Keep N connections open through it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=200), help_heading = "How")]
    long_lived: u32,
    /// Keep every core of this machine busy meanwhile
    #[arg(long, help_heading = "How")]
    stress: bool,
    /// Ask every node so often whether it holds the address
    #[arg(long, value_name = "TIME", default_value = "100ms", help_heading = "How")]
    sample: cli::Duration,
    /// Wait so long for all to be well, before and after each run
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = "How")]
    settle_timeout: cli::Duration,
    /// Heal and end when this much time has passed in all
    #[arg(long, value_name = "TIME", default_value = "30m", help_heading = "How")]
    timeout: cli::Duration,

    /// Compare with the prediction records in FILE, as lb-render prints them
    #[arg(long, value_name = "FILE", help_heading = "What counts")]
    predictions: Option<Input>,
    /// Take a prediction for right within TIME of its bounds
    #[arg(long, value_name = "TIME", default_value = "80ms", help_heading = "What counts")]
    tolerance: cli::Duration,
    /// Answer no if an outage is longer, or has not ended when its run does
    #[arg(long, value_name = "TIME", help_heading = "What counts")]
    max_outage: Option<cli::Duration>,
    /// Answer no if two nodes hold the address for longer
    #[arg(long, value_name = "TIME", help_heading = "What counts")]
    max_duplicate: Option<cli::Duration>,
    /// Answer no if more clients of a run get no good answer
    #[arg(long, value_name = "N", help_heading = "What counts")]
    max_failed: Option<u64>,
    /// Write every client's record to FILE
    #[arg(long, value_name = "FILE", help_heading = "What counts")]
    pub(crate) raw: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) metrics: Metrics,
}

impl Options {
    /// The drill they describe.
    pub(crate) fn drill(&self) -> Result<Drill> {
        let pace = self.pace()?;
        let target = self.target()?;
        let vip = target.addresses()[0].ip();
        let lab = self.lab()?;
        if self.max_duplicate.is_some() && lab.nodes.is_empty() {
            return Err(usage("--max-duplicate needs nodes to ask: --via or --lab"));
        }
        let nodes = lab.nodes.keys().map(|name| {
            let ask = lab.fill(&lab.address, Some(name)).map_err(usage)?;
            Ok(Node { name: name.clone(), ask })
        });
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let health = Health {
            target,
            expect: self.expect.clone(),
            deadline: pace.deadline,
            vip,
            nodes,
            ready: lab.ready.clone(),
        };
        let curfew = Curfew {
            stop: Stop::on_signals().unavailable("watching for signals")?,
            at: Instant::now() + *self.timeout,
        };
        Ok(Drill {
            scenario: self.scenario.name(),
            commands: self.commands(&lab)?,
            lab,
            node: self.node.clone(),
            health,
            curfew,
            settle: *self.settle_timeout,
            pace,
            at: *self.at,
            duration: *self.duration,
            sample: (*self.sample).max(Duration::from_millis(10)),
            long_lived: self.long_lived,
            stress: if self.stress { u32::try_from(cores).unwrap_or(1) } else { 0 },
        })
    }

    /// The prediction for this scenario; `None` if there is none.
    pub(crate) fn predicted(&self) -> Result<Option<PredictedMs>> {
        let Some(input) = &self.predictions else { return Ok(None) };
        for record in input.records::<serde_json::Value>()? {
            let record = record?;
            if record["record"] != "prediction" || record["case"] != self.scenario.name() {
                continue;
            }
            let found: Prediction = serde_json::from_value(record)
                .invalid(format!("reading {input}: prediction of {}", self.scenario.name()))?;
            return Ok(Some(PredictedMs { min: found.min_ms, max: found.max_ms }));
        }
        cli::note(format!("{input} has no prediction for {}", self.scenario.name()));
        Ok(None)
    }

    /// Whether a run met every objective; `None` if there is none.
    fn met(&self, run: &DrillRun) -> Option<bool> {
        let ended = run.recover_ms.is_some() || run.failed == run.failed_before;
        let outage = self.max_outage.map(|max| ended && run.outage_ms <= ms(*max));
        let duplicate = self.max_duplicate.map(|max| run.duplicate_ms.is_some_and(|time| time <= ms(*max)));
        let failed = self.max_failed.map(|max| run.failed <= max);
        [outage, duplicate, failed].into_iter().flatten().reduce(|all, one| all && one)
    }

    /// All runs together. What went wrong on the way outweighs a missed objective.
    pub(crate) fn summary(
        &self,
        scenario: &str,
        predicted: Option<PredictedMs>,
        done: &[DrillRun],
        error: Option<&str>,
    ) -> Drilled {
        let outage = spread(done.iter().map(|run| run.outage_ms));
        let met = done.iter().filter_map(|run| self.met(run)).reduce(|all, one| all && one);
        Drilled {
            scenario: scenario.to_owned(),
            runs: u32::try_from(done.len()).unwrap_or(u32::MAX),
            outage_ms: outage,
            #[expect(clippy::cast_precision_loss, reason = "clients of a run are fewer than 2^52")]
            failed: spread(done.iter().map(|run| run.failed as f64)),
            duplicate_ms_max: done.iter().filter_map(|run| run.duplicate_ms).max_by(f64::total_cmp),
            predicted_ms: predicted,
            prediction_met: outage
                .zip(predicted)
                .map(|(outage, predicted)| within(outage.median, predicted, *self.tolerance)),
            objective_met: met,
            error: error.or((met == Some(false)).then_some("objective")).map(str::to_owned),
        }
    }

    fn pace(&self) -> Result<Pace> {
        let pace = Pace { rate: self.rate, deadline: *self.deadline, expect: self.expect.clone() };
        if *self.at >= *self.duration {
            return Err(usage("--at lies beyond --duration: nobody would see what breaks"));
        }
        if pace.workers() > WORKERS || self.deadline.is_zero() {
            return Err(usage(format!(
                "--rate {} with --deadline {} is 0 or more than {WORKERS} clients at once",
                self.rate, self.deadline
            )));
        }
        Ok(pace)
    }

    fn target(&self) -> Result<Target> {
        let trust = match &self.cacert {
            Some(file) => Trust::ca_file(file).doing("reading --cacert")?,
            None if self.insecure || !self.target.starts_with("https:") => Trust::Insecure,
            None => {
                let hint = "the cluster's CA is in /etc/kubernetes/pki/ca.crt on a control plane";
                return Err(usage("an https --target needs --cacert FILE (or --insecure)").hint(hint));
            }
        };
        Target::new(&self.target, &trust, self.server_name.as_deref()).doing("reading --target")
    }

    fn lab(&self) -> Result<Lab> {
        let mut lab = match &self.lab {
            Some(input) => {
                let text = input.read_text(LAB_BYTES)?;
                serde_json::from_str(&text).invalid(format!("reading {input}"))?
            }
            None => Lab { address: ip_address(), ..Lab::default() },
        };
        lab.nodes.extend(self.via.iter().map(|via| (via.node.clone(), via.prefix.clone())));
        let mut wrong = lab.faults();
        let named = self.node.iter().filter(|node| !lab.nodes.contains_key(*node));
        wrong.extend(named.map(|node| format!("--node {node}: no --via and no lab file names it")));
        if !wrong.is_empty() {
            return Err(Error::invalid_all("reading nodes and commands", wrong));
        }
        if let Some(Words(words)) = &self.holder_cmd {
            lab.address.clone_from(words);
        }
        if let Some(Words(words)) = &self.ready_cmd {
            lab.ready = Some(words.clone());
        }
        Ok(lab)
    }

    fn commands(&self, lab: &Lab) -> Result<Commands> {
        let words = |option: &Option<Words>| option.clone().map(|Words(words)| words);
        if self.inject.is_some() {
            let (prepare, inject, heal) = (words(&self.prepare), words(&self.inject), words(&self.heal));
            return Ok(Commands { prepare, inject, heal });
        }
        let known = lab.scenarios.get(&self.scenario).cloned().or_else(|| self.scenario.by_systemd());
        known.ok_or_else(|| {
            let name = self.scenario.name();
            usage(format!("nobody says how to break and heal {name}"))
                .hint("give --inject and --heal, or a --lab file that has the scenario")
        })
    }
}

fn usage(why: impl std::fmt::Display) -> Error {
    Error::invalid("reading arguments", why)
}
