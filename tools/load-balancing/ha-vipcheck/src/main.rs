//! Tells keepalived whether this node can serve the virtual IP.
//!
//! Asks what is to be asked, each within one deadline for all, and prints
//! one verdict: the API through the local balancer (`--url`), the balancer's
//! own view of its servers (`--haproxy-socket`), its processes (`--pidfile`),
//! the operator's wish (`--maintenance-file`). Starts no other program.
//! Refused and timed out are answers here: status 1.
//!
//! ```console
//! $ ha-vipcheck --url http://127.0.0.1:1/readyz
//! {"record":"vip-check","time":"[..]","ok":false,"reason":"local:connect","error":"refused",[..]}
//! $ touch maintenance
//! $ ha-vipcheck --maintenance-file maintenance --quiet || echo "this node gives the address away"
//! this node gives the address away
//! ```
//!
//! On a balancer, as keepalived's script and as the service beside it:
//!
//! ```sh
//! $ ha-vipcheck --url https://127.0.0.1:6443/readyz --cacert /etc/kubernetes/pki/ca.crt --server-name kubernetes --vip 10.0.0.100
//! $ ha-vipcheck --watch --track-file /run/bareplane/vip.track --haproxy-socket /run/haproxy/admin.sock --backend apiservers --pidfile /run/haproxy.pid --timeout 200ms
//! ```
//!
//! # What is asked
//! - Each `--url` gets a GET on a new connection. Its status must be one of
//!   `--expect`; redirects are not followed. All must do well, or one of
//!   them with `--any`.
//! - `--vip` asks the first URL at that address too, if an interface of this
//!   node carries exactly that address.
//! - `--haproxy-socket` counts the servers that get new sessions, of
//!   `--backend` or of all: up, or never checked.
//! - `--pidfile` may hold several process ids; one of them must live.
//! - `--maintenance-file` fails the check as long as that file exists.
//! - `--track-age` is the dead-man for a watcher: see below.
//!
//! # Which node is sick
//! Where every API server is gone, moving the address helps nobody, and under
//! overload it makes things worse. `--api-down-is ok` forgives what lies behind
//! a balancer that is itself alive: too few servers up, an unwanted HTTP
//! status, a connection closed during the handshake, and, if
//! `--haproxy-socket` was answered, any failure after the connection stood.
//! With the default `fail` a node that is cut off from every API server gives
//! the address away.
//!
//! # Watching
//! keepalived runs a script once a second at best, but follows a file at
//! once. `--watch` writes 0 (serves) or 1 (does not) into `--track-file`, by
//! rename, after `--rise` good or `--fall` bad rounds in a row; prints one record
//! a change; touches the file at every `--interval`; and puts back what
//! somebody else wrote or removed, since keepalived would take a deleted or
//! garbled file for no change at all. The file belongs on a tmpfs.
//!
//! The processes of `--pidfile`, and the workers of a master, are watched
//! through pidfds: when no process of the file is left, 1 is written at once.
//! When a worker ends, the next question is asked at once.
//!
//! A new round starts every interval even if earlier ones still wait, and one
//! more halfway while an answer is out, so with `--fall 2` a balancer that hangs is
//! found `--timeout` and half to one and a half intervals after it stopped.
//! A round that timed out while this process itself did not get the processor
//! says nothing about the balancer: it is asked again, up to five times.
//! An older round never overrules a younger one.
//!
//! SIGTERM ends it: with `--on-exit fail` it leaves 1, with `keep` what the file
//! said. A watcher that was killed leaves its last word, which keepalived would
//! believe for ever: let keepalived run `ha-vipcheck --track-age FILE --max-age 3s`
//! as a script beside it, which fails if nobody has touched the file for that long.
//!
//! # Clocks
//! Intervals and deadlines follow the monotonic clock. The age of a track
//! file can only be told by the wall clock, which may step: a file that seems
//! too old, or from the future, is looked at again for 300 ms, and whoever
//! touches it meanwhile is alive.
//!
//! # Exit status
//! 0 healthy. 1 not healthy: refused, timed out, maintenance, a socket that is missing
//! or answers garbage, a track file that is missing, garbled or stale.
//! 2 wrong usage, or a CA file that cannot be read. 3 the check could not be made:
//! no descriptor, no name service, a track file that cannot be written.
//! keepalived knows only 0 and not 0: a check that is wrong on every balancer
//! leaves the address on none. Try it by hand before it is installed.

mod asked;
mod haproxies;
mod interfaces;
mod pids;
mod round;
mod steady;
mod track;
mod urls;
mod verdict;
mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Parser, ValueEnum};
use cli::Answer;

use crate::round::Round;

/// Tell keepalived whether this node can serve the virtual IP
#[derive(Debug, Parser)]
#[command(group = ArgGroup::new("checks").required(true).multiple(true).args(["urls", "haproxy_socket", "pidfile", "maintenance_file", "track_age"]))]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct Args {
    /// Ask this URL; may be repeated
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<String>,
    /// One URL that does well is enough
    #[arg(long, requires = "urls", overrides_with = "all")]
    any: bool,
    /// Every URL must do well (the default)
    #[arg(long, requires = "urls", overrides_with = "any")]
    all: bool,
    /// Believe the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// Believe any certificate
    #[arg(long)]
    insecure: bool,
    /// The name the certificate must be for, instead of the URL's host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// HTTP statuses that are healthy
    #[arg(long, value_name = "STATUS", value_delimiter = ',', default_value = "200", value_parser = clap::value_parser!(u16).range(100..600))]
    expect: Vec<u16>,
    /// How long all checks may take together
    #[arg(long, value_name = "DURATION", default_value = "800ms")]
    timeout: cli::Duration,
    /// Ask the first URL at this address too if it is on this node
    #[arg(long, value_name = "ADDRESS", requires = "urls")]
    vip: Option<IpAddr>,
    /// Ask haproxy's stats socket for its servers
    #[arg(long, value_name = "SOCKET")]
    haproxy_socket: Option<PathBuf>,
    /// Count the servers of this backend only
    #[arg(long, value_name = "NAME", requires = "haproxy_socket")]
    backend: Option<String>,
    /// How many servers must be up
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "haproxy_socket")]
    min_up: u32,
    /// A process of this file must live
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// Not healthy while this file exists
    #[arg(long, value_name = "FILE")]
    maintenance_file: Option<PathBuf>,
    /// What it means if the balancer lives and the API behind it does not
    #[arg(long, value_name = "VERDICT", default_value = "fail")]
    api_down_is: ApiDown,
    /// Warn if a certificate expires sooner
    #[arg(long, value_name = "DURATION")]
    cert_warn: Option<cli::Duration>,
    /// Print no record
    #[arg(short, long)]
    quiet: bool,
    /// Somebody must have touched this track file lately
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    track_age: Option<PathBuf>,
    /// How lately
    #[arg(long, value_name = "DURATION", default_value = "3s", requires = "track_age")]
    max_age: cli::Duration,
    /// Go on asking, and write the verdict for keepalived
    #[arg(long, requires = "track_file")]
    watch: bool,
    /// The file keepalived follows: 0 serves, 1 does not
    #[arg(long, value_name = "FILE", requires = "watch")]
    track_file: Option<PathBuf>,
    /// Time from one question to the next
    #[arg(long, value_name = "DURATION", default_value = "100ms", requires = "watch")]
    interval: cli::Duration,
    /// Good rounds in a row until 0 is written
    #[arg(long, value_name = "COUNT", default_value_t = 2, requires = "watch", value_parser = clap::value_parser!(u32).range(1..))]
    rise: u32,
    /// Bad rounds in a row until 1 is written
    #[arg(long, value_name = "COUNT", default_value_t = 2, requires = "watch", value_parser = clap::value_parser!(u32).range(1..))]
    fall: u32,
    /// What to leave in the file when asked to end
    #[arg(long, value_name = "WORD", default_value = "fail", requires = "watch")]
    on_exit: OnExit,
    #[command(flatten)]
    metrics: cli::Metrics,
}

/// What it means if the balancer lives and the API behind it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ApiDown {
    /// Healthy: no other node would do better
    Ok,
    /// Not healthy: this node may be cut off
    Fail,
}

/// What a watcher leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnExit {
    /// 1: nobody looks after this node any more
    Fail,
    /// Its last word
    Keep,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut cli::Out) -> cli::Result {
    let round = Round::of(args)?;
    if let Some(file) = &args.track_file {
        return watch::run(args, round, file, out);
    }
    let asked = round.ask(Instant::now() + *args.timeout)?;
    if let Some(limit) = args.cert_warn {
        warn_of_expiry(&asked.verdict, *limit);
    }
    if !args.quiet {
        out.emit(&asked.verdict)?;
    }
    Ok(Answer::from(asked.verdict.ok))
}

fn warn_of_expiry(verdict: &model::VipCheck, limit: Duration) {
    let limit_days = i64::try_from(limit.as_secs() / 86_400).unwrap_or(i64::MAX);
    for check in &verdict.checks {
        if let (Some(days), Some(url)) = (check.cert_days_left, &check.url)
            && days < limit_days
        {
            cli::warn_hint(
                format!("asking {url}: its certificate expires in {days} days"),
                "`kubeadm certs renew all` on that node renews it",
            );
        }
    }
}
