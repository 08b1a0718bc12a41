//! Breaks one thing on purpose, measures the outage clients see, heals it.
//!
//! New clients come at a fixed rate, each with a connection, a verified TLS
//! handshake and a request of its own, whatever became of those before: so
//! an outage is not hidden by clients that wait. In their midst one thing is
//! broken on the node that holds the virtual address. The outage is the
//! largest gap between good answers. It is compared with the prediction of
//! `lb-render` and with objectives. Then the thing is healed, and healing is
//! checked.
//!
//! `plan` prints what would be broken, the command that would heal it and
//! the prediction, and touches nothing; `run`, with the same options, does
//! it. A run begins only when all is well: eight good answers in a row,
//! exactly one holder of the address, and success of `--ready-cmd`.
//!
//! ```console
//! $ ha-drill plan haproxy-killed --lab ha-drill-lab.json --target http://10.77.0.100:6443/livez
//! {"record":"drill-plan","scenario":"haproxy-killed","vip":"10.77.0.100","holders":["lb1"],"node":"lb1","prepare":null,"inject":["ssh","lb1","systemctl","kill","--signal=KILL","haproxy"],"heal":["ssh","lb1","systemctl","start","haproxy"],"predicted_ms":null}
//! ```
//!
//! Two more examples: balancers that are reached by ssh, haproxy and
//! keepalived run by systemd; and a lab in network namespaces, with a file
//! that describes it.
//!
//! ```sh
//! $ ha-drill run haproxy-killed --target https://10.0.0.100:6443/livez --cacert ca.crt \
//!     --via lb1='ssh root@lb1' --via lb2='ssh root@lb2' --runs 5 --max-outage 1s
//! $ lb-render platform.yaml --json >rendered
//! $ ip netns exec client ha-drill run carrier --lab lab.json --predictions rendered \
//!     --target https://10.77.0.100:6443/livez --cacert ca.crt
//! ```
//!
//! # Scenarios
//!
//! Without other commands (`--inject`, a lab file) those below run
//! `systemctl` on the node, for units called haproxy and keepalived:
//!
//! - `none` breaks nothing: what the machine and the clients account for.
//! - `keepalived-stopped`, `keepalived-killed` (with its children: the
//!   address stays behind on the node), `haproxy-killed`, `haproxy-hung`.
//! - `reload` reloads haproxy and needs no healing.
//! - `failback` stops keepalived before all measuring, and starts it again.
//!
//! Those below always need commands, since none is right everywhere:
//! `carrier`, `partition` (a cable is pulled at the other end, or healing
//! could not reach the node), `api-killed`, `api-silent`, `api-500`, and
//! `custom` for anything else.
//!
//! # Files
//!
//! A lab file is JSON. All fields may be missing; options outweigh what it
//! says. A scenario without `heal` needs no healing.
//!
//! ```json
//! {"nodes": {"lb1": ["ip", "netns", "exec", "lb1"], "lb2": ["ip", "netns", "exec", "lb2"]},
//!  "address": ["ip", "-n", "{node}", "-json", "address"],
//!  "ready": ["./all-servers-up"],
//!  "scenarios": {
//!    "carrier": {"inject": ["ip", "-n", "switch", "link", "set", "p-{node}", "down"],
//!                "heal": ["ip", "-n", "switch", "link", "set", "p-{node}", "up"]},
//!    "failback": {"prepare": ["./stop", "{node}"], "inject": ["./start", "{node}"],
//!                 "heal": ["./start", "{node}"]}}}
//! ```
//!
//! In every command the word `{via}` stands for the node's prefix, and
//! `{node}` within a word for its name; the node is the holder, or `--node`.
//! Commands without `{via}` run here.
//!
//! # Commands
//!
//! No command passes through a shell. An option's value is split at blanks;
//! quotes of either kind keep blanks; a backslash, except within single
//! quotes, takes the next character as it is; nothing is expanded. Who wants
//! a shell writes `sh -c '...'`. ssh, though, joins the words it gets and
//! hands them to the other side's shell.
//!
//! # Healing
//!
//! It is healed after each run, and when a signal comes, `--timeout` is over
//! or the injecting command fails. A guard, a process of its own, heals if
//! this one is killed or crashes. Whether it healed is checked as before a
//! run.
//!
//! # Notes
//!
//! A handover between two samples (`--sample`) is never counted as a
//! duplicate; one shorter than two samples is not seen. Asking over ssh is
//! slow: a master connection (`ControlMaster`) makes it bearable.
//!
//! `client_late_ms_max` above 20 says that this machine was too busy to keep
//! the clients' pace: the figures are in doubt. A better place in the queue
//! (`nice -n -10 ha-drill ...`) helps; a real-time one would go to the threads
//! of `--stress` as well, and stop the machine.
//!
//! # Exit status
//!
//! `run`: 0 if every objective was met, or none was set. 1 if one was missed
//! (`objective`), if all was not well after healing (`not-healed`), if the
//! injecting command failed (`not-injected`), or if a signal or `--timeout`
//! ended the drill (`interrupted`): it healed, but must not simply be tried
//! again. 2 if options or files are wrong. 3 if all was not well beforehand;
//! nothing was broken (`not-settled`). The word is the `error` of the last
//! record.
//!
//! `plan`: 0 if exactly one node holds the address, so that the drill could
//! begin; 1 if not.

mod guard;
mod health;
mod holder;
mod lab;
mod measure;
mod options;
mod run;
mod scenario;
mod words;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;
use cli::{Answer, Context, Error, Out};
use model::{DrillPlan, DrillRequest, DrillRun, PredictedMs};
use options::Options;
use probe::Sample;
use run::{Drill, Outcome, Trouble};

/// A client later than this puts the figures in doubt, milliseconds.
const LATE_MS: f64 = 20.0;

/// Break one thing on purpose, measure the outage clients see, heal it
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Print what would be broken, what would heal it, and the prediction
    Plan(Box<Options>),
    /// Break, measure, heal
    Run(Box<Options>),
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let (Verb::Plan(options) | Verb::Run(options)) = &args.verb;
    let predicted = options.predicted()?;
    let drill = options.drill()?;
    match args.verb {
        Verb::Plan(_) => plan(&drill, predicted, out),
        Verb::Run(_) => drill_all(&drill, options, predicted, out),
    }
}

fn plan(drill: &Drill, predicted: Option<PredictedMs>, out: &mut Out) -> cli::Result {
    let holders = drill.health.holders();
    let filled = drill.fill(holders.as_deref());
    let can_begin = filled.is_ok()
        && (drill.health.nodes.is_empty() || holders.as_ref().is_some_and(|holders| holders.len() == 1));
    // Without a node the commands are shown as they were written.
    let filled = filled.unwrap_or_else(|_| run::Filled::unfilled(&drill.commands));
    out.emit(&DrillPlan {
        scenario: drill.scenario.clone(),
        vip: drill.health.vip.to_string(),
        holders,
        node: filled.node,
        prepare: filled.prepare,
        inject: filled.inject,
        heal: filled.heal,
        predicted_ms: predicted,
    })?;
    Ok(Answer::from(can_begin))
}

fn drill_all(drill: &Drill, options: &Options, predicted: Option<PredictedMs>, out: &mut Out) -> cli::Result {
    let mut raw = Raw::create(options)?;
    let mut done: Vec<DrillRun> = Vec::new();
    let mut failure = None;
    for number in 1..=options.runs {
        let Outcome { figures, healed } = drill.once(number);
        match figures {
            Ok((record, samples)) => {
                doubt(&record);
                out.emit(&record)?;
                out.flush()?;
                raw.write(number, &samples)?;
                done.push(record);
            }
            Err(trouble) => {
                if let Trouble::NotInjected(why) = &trouble {
                    cli::warn(format!("breaking: {why}"));
                }
                failure = Some(trouble);
            }
        }
        if let Err(why) = &healed {
            cli::warn(format!("healing {}: {why}", drill.scenario));
            return finish(options, drill, predicted, &done, Some("not-healed"), out);
        }
        if failure.is_some() {
            break;
        }
    }
    let error = match &failure {
        None => None,
        Some(Trouble::Interrupted) => Some("interrupted"),
        Some(Trouble::NotInjected(_)) => Some("not-injected"),
        Some(Trouble::Unsettled(why)) if !done.is_empty() => {
            cli::warn(format!("waiting for all to be well: {why}"));
            Some("not-settled")
        }
        Some(Trouble::Unsettled(why)) => {
            finish(options, drill, predicted, &done, Some("not-settled"), out)?;
            return Err(Error::unavailable("waiting for all to be well", why)
                .hint("nothing was broken; `ha-drill plan` shows the holders"));
        }
    };
    finish(options, drill, predicted, &done, error, out)
}

fn doubt(run: &DrillRun) {
    if run.client_late_ms_max > LATE_MS {
        cli::warn(format!(
            "run {}: clients came up to {} ms late: this machine is too busy for its figures to be trusted",
            run.run, run.client_late_ms_max
        ));
    }
}

fn finish(
    options: &Options,
    drill: &Drill,
    predicted: Option<PredictedMs>,
    done: &[DrillRun],
    error: Option<&str>,
    out: &mut Out,
) -> cli::Result {
    let summary = options.summary(&drill.scenario, predicted, done, error);
    out.emit(&summary)?;
    options.metrics.write(&[
        ("bareplane_drill_runs_total", "Runs finished.", f64::from(summary.runs)),
        (
            "bareplane_drill_outage_ms_max",
            "The longest outage of any run, milliseconds.",
            summary.outage_ms.map_or(f64::NAN, |outage| outage.max),
        ),
        ("bareplane_drill_ok", "1 if nothing went wrong.", f64::from(u8::from(summary.error.is_none()))),
    ])?;
    Ok(Answer::from(summary.error.is_none()))
}

/// The file of every client's record, if one is asked for.
struct Raw(Option<BufWriter<File>>, String);

impl Raw {
    fn create(options: &Options) -> cli::Result<Self> {
        let Some(path) = &options.raw else { return Ok(Self(None, String::new())) };
        let doing = format!("writing {}", path.display());
        Ok(Self(Some(BufWriter::new(File::create(path).doing(&doing)?)), doing))
    }

    fn write(&mut self, run: u32, samples: &[Sample]) -> cli::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        for sample in samples {
            let record = DrillRequest {
                run,
                begun_ms: measure::ms(sample.begun),
                late_ms: measure::ms(sample.late),
                elapsed_ms: measure::ms(sample.done.saturating_sub(sample.begun)),
                status: sample.status,
                error: sample.error.map(str::to_owned),
            };
            serde_json::to_writer(&mut *file, &record).map_err(std::io::Error::from).doing(&self.1)?;
            file.write_all(b"\n").doing(&self.1)?;
        }
        file.flush().doing(&self.1)
    }
}
