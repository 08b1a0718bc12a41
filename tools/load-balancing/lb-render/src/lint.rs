//! `lb-render lint`: judges configurations that others wrote.

use cli::{Answer, Error, Input, Out};
use ha::lint::{File, judge};
use model::Status;

/// The longest file that is read: 4 MiB.
const FILE_BYTES: u64 = 4 << 20;

/// What to judge.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// haproxy.cfg, keepalived.conf and check scripts, of one node or several
    #[arg(value_name = "FILE", required = true)]
    files: Vec<Input>,
    /// Answer no for warnings too
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &Args, out: &mut Out) -> cli::Result {
    let read = |input: &Input| Ok(File { name: input.to_string(), text: input.read_text(FILE_BYTES)? });
    let files = args.files.iter().map(read).collect::<cli::Result<Vec<_>>>()?;
    let findings = judge("lb-render", &files).map_err(|wrong| Error::invalid_all("reading", wrong))?;
    findings.iter().try_for_each(|finding| out.emit(finding))?;
    let worst = if args.strict { Status::Warn } else { Status::Fail };
    Ok(Answer::from(!findings.iter().any(|finding| finding.status >= worst)))
}
