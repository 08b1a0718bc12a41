//! Runs a command again while it answers 3.
//!
//! A status of 3 says that running the command again may work: something
//! refused, timed out or throttled. `retry` waits and tries again, each pause
//! about twice as long as the one before and of random length, so that many
//! clients do not come back at once. Any other status is an answer; it is
//! passed on unchanged.
//!
//! Only the last attempt's standard output is printed, so a record made
//! by an attempt that failed half-way is never seen twice. `--stream` passes
//! output on as it comes. Standard error always passes straight through.
//! The command reads nothing; with `--stdin` what `retry` reads is given
//! to every attempt anew.
//!
//! ```console
//! $ retry --attempts 3 --delay 1ms -- sh -c 'exit 3'; echo "status $?"
//! retry: running sh: status 3 after 3 attempts
//! status 3
//! $ retry -- sh -c 'echo "no such host"; exit 1'; echo "status $?"
//! no such host
//! status 1
//! ```
//!
//! # Exit status
//!
//! The command's own. 3 also if time was up (`--timeout`, `--attempt-timeout`),
//! 126 if the command cannot be executed, 127 if there is none, 128+N if
//! signal N ended it, 2 if the arguments are wrong.

mod attempt;
mod backoff;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::ExitCode;
use std::time::Instant;

use attempt::{Attempt, Outcome};
use clap::Parser;
use cli::{Answer, Context};
use process::Stop;

/// Run a command again while it answers 3
#[derive(Parser)]
struct Args {
    /// Try at most N times
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    attempts: u32,
    /// Pause about this long after the first attempt, then twice as long each time
    #[arg(long, value_name = "TIME", default_value = "1s")]
    delay: cli::Duration,
    /// Pause at most this long
    #[arg(long, value_name = "TIME", default_value = "30s")]
    max_delay: cli::Duration,
    /// Give up when this much time has passed in all
    #[arg(long, value_name = "TIME", default_value = "5m")]
    timeout: cli::Duration,
    /// End an attempt that takes longer, and count it as a 3
    #[arg(long, value_name = "TIME")]
    attempt_timeout: Option<cli::Duration>,
    /// Try again on this status; may be given several times
    #[arg(long, value_name = "STATUS", default_values_t = [3])]
    on: Vec<u8>,
    /// Read standard input first and give it to every attempt
    #[arg(long)]
    stdin: bool,
    /// Pass output on as it comes, that of failed attempts included
    #[arg(long)]
    stream: bool,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut cli::Out) -> cli::Result {
    let stop = Stop::on_signals().unavailable("catching signals")?;
    let end = Instant::now() + *args.timeout;
    let program = &args.command[0];
    let mut input = if args.stdin { Some(spool(io::stdin().lock())?) } else { None };
    for number in 1.. {
        if let Some(file) = &mut input {
            file.seek(SeekFrom::Start(0)).unavailable("rereading standard input")?;
        }
        let limit = args.attempt_timeout.map_or(end, |limit| end.min(Instant::now() + *limit));
        let (attempt, output) =
            Attempt { command: &args.command, input: input.as_ref(), stream: args.stream, limit }
                .run(&stop)?;
        let status = attempt.status();
        let pause = backoff::pause(*args.delay, *args.max_delay, number);
        let over = Instant::now() + pause >= end;
        let again = args.on.contains(&status) && !stop.requested();
        if again && number < args.attempts && !over {
            cli::note(format!("running {program}: {attempt}, next attempt in {} ms", pause.as_millis()));
            if !stop.sleep(pause) {
                continue;
            }
        }
        if let Some(mut output) = output {
            copy(&mut output, out)?;
        }
        if again || attempt == Outcome::TimedOut {
            let times = if number == 1 { "attempt" } else { "attempts" };
            let why = if over { ", time is up" } else { "" };
            cli::warn(format!("running {program}: {attempt} after {number} {times}{why}"));
        }
        return Ok(Answer::Passed(status));
    }
    Ok(Answer::No)
}

/// Standard input in an unnamed temporary file.
fn spool(mut from: impl Read) -> cli::Result<File> {
    let mut file = tempfile::tempfile().unavailable("making a temporary file")?;
    io::copy(&mut from, &mut file).unavailable("keeping standard input")?;
    Ok(file)
}

fn copy(from: &mut File, out: &mut cli::Out) -> cli::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    from.seek(SeekFrom::Start(0)).unavailable("rereading output")?;
    loop {
        match from.read(&mut buffer).unavailable("rereading output")? {
            0 => return Ok(()),
            length => out.write(&buffer[..length])?,
        }
    }
}
