//! Keeps the managed block of /etc/hosts.
//!
//! Every host of the platform has a line there, its name with the domain
//! first (`hostname -f` answers the first), and so has the API at its virtual
//! addresses if `network.api_name` names it. The block lies between two marks
//! with the cluster's name. What is outside stays byte for byte: the lines of
//! localhost, 127.0.1.1, and whatever else people wrote.
//!
//! ```console
//! $ mkdir -p image/etc && printf '127.0.0.1 localhost\n127.0.1.1 w1\n' > image/etc/hosts
//! $ hosts-render check --root image --host w1 platform.yaml || echo not as it should be
//! {"record":"finding","tool":"hosts-render","target":"w1","check":"hosts-block","status":"fail",[..]
//! {"record":"finding","tool":"hosts-render","target":"w1","check":"hosts-loopback","status":"warn",[..]"line":2,"current":"127.0.1.1 w1",[..]
//! {"record":"finding","tool":"hosts-render","target":"w1","check":"hosts-localhost","status":"pass",[..]
//! not as it should be
//! $ hosts-render apply --root image --host w1 platform.yaml
//! {"record":"change","target":"w1","path":"/etc/hosts","action":"update",[..]
//! $ cat image/etc/hosts
//! 127.0.0.1 localhost
//! 127.0.1.1 w1
//! # BEGIN bareplane lab
//! 10.77.0.11 lb1
//! 10.77.0.12 lb2
//! 10.77.0.21 cp1
//! 10.77.0.22 cp2
//! 10.77.0.23 cp3
//! 10.77.0.31 w1
//! 10.77.0.32 w2
//! # END bareplane lab
//! $ hosts-render apply --root image --host w1 platform.yaml && echo nothing left to do
//! nothing left to do
//! ```
//!
//! `render` prints the block alone. On a whole cluster:
//!
//! ```sh
//! inventory nodes platform.yaml | ssh-fan run -- hosts-render apply - < platform.yaml
//! ```
//!
//! # Checks
//!
//! - hosts-marks: the block's marks are whole. Where one is missing, stray or
//!   there twice nobody can tell whose the lines are: `plan` and `apply` refuse
//! - hosts-block: the block says what the platform says
//! - hosts-conflict: a name of the platform has another address outside the block
//! - hosts-loopback: the host's own name is at 127.*, as Debian's installer
//!   writes it; programs that ask for their own address then get that one
//! - hosts-duplicate: a line outside says what the block says, or names what
//!   another line names
//! - hosts-case: a name of the platform in upper case; Kubernetes knows lower case alone
//! - hosts-localhost: localhost is this machine
//! - hosts-cloud-init: cloud-init does not write the file anew at every boot
//!
//! hosts-block and hosts-cloud-init are mended by `apply`; the other lines are
//! somebody's own.
//! A missing or empty file gets lines for localhost as well.
//!
//! # Files
//!
//! `/etc/hosts`, links followed, mode and owner kept;
//! `/etc/cloud/cloud.cfg.d/99-zz-hosts-render.cfg`. Journals lie below
//! `/var/lib/bareplane/undo/hosts-render`.
//!
//! # Exit status
//!
//! 0 as it should be (warnings apart), or done; 1 findings, or changes
//! pending, or an undo refused because somebody changed the file since; 2 the
//! document or an argument is wrong, or the marks are damaged; 3 another run
//! is at it, or the machine refuses.
//!
//! # Notes
//!
//! A file with CRLF line ends keeps them, and the block gets them too. A last
//! line without a newline gets one if the block has to come after it.

mod judge;

use std::process::ExitCode;

use change::{Report, Tree};
use clap::{Args as Group, Parser, Subcommand};
use cli::{Answer, Context, Error, Input, Keep, Out, Place, Undo};
use node::Machine;
use platform::Platform;

/// Keep the managed block of /etc/hosts
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the block
    Render {
        /// The platform document; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Tell what is not as the platform says
    Check(Job),
    /// Show what would change
    Plan(Job),
    /// Make it so
    Apply {
        #[command(flatten)]
        job: Job,
        #[command(flatten)]
        keep: Keep,
    },
    /// Put back what an apply replaced
    Undo(Undo),
}

#[derive(Group)]
struct Job {
    #[command(flatten)]
    place: Place,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut Out) -> cli::Result {
    match &args.verb {
        Verb::Render { file } => render(&file.platform()?, out),
        Verb::Check(job) => cli::check(&job.look(None)?.report, out),
        Verb::Plan(job) => {
            let looked = job.look(None)?.sound()?;
            cli::warn_of_the_rest(&looked.report);
            cli::plan(&looked.tree, &looked.report.wanted, out)
        }
        Verb::Apply { job, keep } => {
            let looked = job.look(Some(out))?.sound()?;
            cli::warn_of_the_rest(&looked.report);
            cli::apply(&looked.tree, &looked.report.wanted, keep.keep, out)
        }
        Verb::Undo(undo) => undo.run(judge::TOOL, out),
    }
}

fn render(platform: &Platform, out: &mut Out) -> cli::Result {
    let block = conf::hosts::block(&platform.cluster.name, &judge::lines(platform), "\n");
    out.write(block.as_bytes())?;
    Ok(Answer::Yes)
}

/// What was found on a machine, and what is wanted of it.
struct Looked {
    tree: Tree,
    report: Report,
}

impl Job {
    /// Looks at the machine; who is about to change it clears up after a killed run first.
    fn look(&self, recover: Option<&mut Out>) -> cli::Result<Looked> {
        let platform = self.file.platform()?;
        let host = self.place.host_of(&platform)?;
        let tree = self.place.tree(judge::TOOL, &host.name)?;
        if let Some(out) = recover {
            cli::recover(&tree, out)?;
        }
        let report = judge::look(&Machine::tree(&self.place.root), &platform, host);
        Ok(Looked { tree, report: report.doing("looking at the machine")? })
    }
}

impl Looked {
    /// Refuses where the marks are damaged.
    fn sound(self) -> cli::Result<Self> {
        let damage: Vec<_> = judge::damage(&self.report).collect();
        if damage.is_empty() {
            return Ok(self);
        }
        let doing = format!("reading {}", judge::FILE);
        Err(Error::invalid_all(doing, damage).hint("mend the marks, or delete them and the lines between"))
    }
}
