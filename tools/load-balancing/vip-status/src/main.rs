//! Tells who holds a virtual IP: one machine, nobody, or too many.
//!
//! Asks everybody on the link who answers for the address (ARP for IPv4,
//! neighbour discovery for IPv6), asks the keepalived that lives here for its
//! state, compares both with this machine's own addresses, and prints one
//! record an address. Answers yes if exactly one machine holds it and
//! keepalived's state agrees.
//!
//! The case that nothing else in the stack notices is a keepalived killed
//! with -9: its address stays on the machine, the next balancer takes it as
//! well, and clients reach whichever their neighbour table names. Here that
//! is `duplicate`, and `release` takes the left-over address away.
//!
//! ```sh
//! $ vip-status --vip 10.77.0.100 --peer lb1=10.77.0.11 --peer lb2=10.77.0.12
//! {"record":"vip","vip":"10.77.0.100","verdict":"duplicate","local":true,…}
//! $ vip-status release plan --vip 10.77.0.100
//! {"record":"change","target":"10.77.0.100/32 dev eth0","path":null,"action":"delete",…}
//! $ vip-status release apply --vip 10.77.0.100
//! ```
//!
//! An address that is not here needs no release:
//!
//! ```console
//! $ vip-status release plan --vip 192.0.2.100 && echo "nothing to do"
//! nothing to do
//! ```
//!
//! # Verdicts
//! - `one`: exactly one machine holds it.
//! - `none`: nobody answers for it.
//! - `duplicate`: more than one machine answers for it.
//! - `stale`: this machine alone holds it, but no keepalived that lives here
//!   is its master.
//!
//! # Release
//! Takes an address off this machine which no living keepalived has in its
//! configuration. Refuses (status 1, error `guard`) if one has it, if one is
//! there and cannot be asked, or if it is its interface's only address. There is no undo: keepalived puts back what it
//! owns.
//!
//! # Exit status
//! - 0: exactly one holder, in agreement with keepalived; `release`: nothing
//!   to take away, or taken away.
//! - 1: none, duplicate or stale, or keepalived disagrees; `release plan`:
//!   there is something to take away; refused by the guard.
//! - 2: bad usage, no such interface.
//! - 3: cannot ask: the interface is down, no raw socket (`CAP_NET_RAW`),
//!   keepalived does not answer.
//!
//! # Notes
//! Stations are told apart by their hardware address: balancers that share
//! one (keepalived's `use_vmac`) look like one holder. A holder that answers
//! no probe from 0.0.0.0 (`arp_ignore` 2 and above) is not seen.
//!
//! keepalived answers through a file in its temporary directory; one line in
//! its log goes with each question, so that `--watch` asks it only when the
//! picture changes, and every 30 s.

mod here;
mod look;
mod release;
mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use cli::{Answer, Error, Out};

/// Tell who holds a virtual IP: one machine, nobody, too many
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The virtual IP; may be given several times [default: all that keepalived here has]
    #[arg(long = "vip", value_name = "ADDRESS", global = true)]
    vips: Vec<IpAddr>,
    /// The interface to ask on, or to release from [default: the one whose network holds the address]
    #[arg(long, alias = "interface", value_name = "NAME", global = true)]
    iface: Option<String>,
    /// The pid file of the keepalived that matters [default: every one in this network namespace]
    #[arg(long, value_name = "FILE", global = true)]
    keepalived_pid: Option<PathBuf>,
    /// The longest a whole run may take, or one look of --watch
    #[arg(long, value_name = "TIME", default_value = "5s", global = true)]
    timeout: cli::Duration,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Subcommand)]
enum Verb {
    /// Take away an address that no living keepalived owns
    #[command(subcommand)]
    Release(Release),
}

#[derive(Subcommand)]
enum Release {
    /// Print what would be taken away, change nothing
    Plan,
    /// Take it away
    Apply,
}

/// How and whom to ask.
#[derive(clap::Args)]
struct Ask {
    /// Name the machine that has ADDRESS of its own NAME; may be given several times
    #[arg(long = "peer", value_name = "NAME=ADDRESS")]
    peers: Vec<Peer>,
    /// Ask by ARP alone: every address must be IPv4
    #[arg(long, conflicts_with = "ndp")]
    arp: bool,
    /// Ask by neighbour discovery alone: every address must be IPv6
    #[arg(long)]
    ndp: bool,
    /// How often to put the question: a lost frame is no lost holder
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long to wait for answers to each
    #[arg(long, value_name = "TIME", default_value = "60ms")]
    wait: cli::Duration,
    /// Report the number and the age of a track file
    #[arg(long, value_name = "FILE")]
    check_file: Option<PathBuf>,
    /// Count transitions in the state file of ha-notify
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Go on, and print a record when something changes
    #[arg(long)]
    watch: bool,
    /// How often --watch looks
    #[arg(long, value_name = "TIME", default_value = "300ms", requires = "watch")]
    interval: cli::Duration,
    #[command(flatten)]
    metrics: cli::Metrics,
}

/// A machine known by an address of its own.
#[derive(Clone, Debug)]
struct Peer {
    name: String,
    address: IpAddr,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let peer = parts
            .and_then(|(name, address)| Some(Self { name: name.to_owned(), address: address.parse().ok()? }));
        peer.ok_or_else(|| format!("`{text}` is not NAME=ADDRESS, such as lb2=10.77.0.12"))
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    let timeout: Duration = args.timeout.into();
    let mut keepalived = here::Keepalived::new(args.keepalived_pid.as_deref(), timeout.min(here::ANSWER));
    if let Some(Verb::Release(verb)) = &args.verb {
        // The one of the pid file may be dead, and another own the address.
        let keepalived = keepalived.and_all_others();
        let wanted = release::Wanted { vips: &args.vips, interface: args.iface.as_deref() };
        return release::run(&wanted, matches!(verb, Release::Apply), keepalived, out);
    }
    let survey =
        neighbour::Survey { rounds: args.ask.rounds, interval: args.ask.wait.into(), enough: usize::MAX };
    if survey.interval * survey.rounds >= timeout {
        return Err(Error::invalid("reading arguments", "--rounds times --wait takes longer than --timeout"));
    }
    keepalived.refresh()?;
    let vips = vips(args, &keepalived)?;
    let question = look::Question { vips, interface: args.iface.as_deref(), ask: &args.ask, survey };
    if args.ask.watch {
        return watch::run(&question, keepalived, out);
    }
    let records = look::look(&question, &keepalived)?;
    for record in &records {
        out.emit(record)?;
    }
    // Nothing is healthy while a keepalived that lives here keeps silent.
    keepalived.heard()?;
    Ok(Answer::from(records.iter().all(look::is_well)))
}

/// The addresses to ask for: those given, else those keepalived has.
fn vips(args: &Args, keepalived: &here::Keepalived) -> cli::Result<Vec<IpAddr>> {
    let mut vips = args.vips.clone();
    if vips.is_empty() {
        vips = keepalived.instances().iter().flat_map(|instance| instance.vips.clone()).collect();
    }
    if vips.is_empty() {
        keepalived.heard()?;
        let why = "no --vip given, and no keepalived here has one";
        return Err(Error::invalid("reading arguments", why).hint("name it: --vip 10.77.0.100"));
    }
    for (only, wrong, protocol) in [
        (args.ask.arp, IpAddr::is_ipv6 as fn(&IpAddr) -> bool, "--arp"),
        (args.ask.ndp, IpAddr::is_ipv4, "--ndp"),
    ] {
        if let Some(vip) = vips.iter().find(|vip| only && wrong(vip)) {
            let why = format!("{protocol} cannot ask for {vip}");
            return Err(Error::invalid("reading arguments", why)
                .hint("without it, each address is asked its own way"));
        }
    }
    Ok(vips)
}
