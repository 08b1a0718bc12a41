//! The options all verbs share.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use cli::Input;

/// Which hosts, how many at once, and when to give up.
#[derive(Args, Debug)]
pub(crate) struct Pace {
    /// Host records to read, `-` for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) hosts: Input,
    /// Work on at most N hosts at once
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) parallel: u16,
    /// Finish one batch of N hosts, or N% of them, before the next begins
    #[arg(long, value_name = "N|N%")]
    pub(crate) serial: Option<Share>,
    /// Begin nothing more once more than N hosts, or N% of them, have failed
    #[arg(long, value_name = "N|N%")]
    pub(crate) max_fail: Option<Share>,
    /// End a host's command after TIME
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub(crate) host_timeout: cli::Duration,
    /// End the whole after TIME
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<cli::Duration>,
    /// Try a host again N times if no session comes about
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Print the results in the order of the hosts
    #[arg(long)]
    pub(crate) ordered: bool,
    /// Leave out the hosts that succeeded in this earlier run's results
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<Input>,
}

/// How hosts are reached, and what is kept of their output.
#[derive(Args, Debug)]
pub(crate) struct Reach {
    /// Log in by name, as this ssh configuration says
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// The ssh to run
    #[arg(long, value_name = "PROGRAM", default_value = "ssh")]
    pub(crate) ssh: OsString,
    /// Give up on a connection that does not come about in TIME
    #[arg(long, value_name = "TIME", default_value = "10s")]
    connect_timeout: cli::Duration,
    /// Keep connections open for TIME, for the next run with the same --control-path
    #[arg(long, value_name = "TIME", requires = "control_path")]
    keep: Option<cli::Duration>,
    /// Share connections through sockets in DIR
    #[arg(long, value_name = "DIR")]
    pub(crate) control_path: Option<PathBuf>,
    /// Learn the key of a host never seen; a changed key is still refused
    #[arg(long)]
    accept_new: bool,
    /// Run as root, by `sudo -n`
    #[arg(long = "become")]
    pub(crate) become_root: bool,
    /// Keep at most so many bytes of each stream of each host, beginning and end
    /// [default: 256 KiB; 64 MiB with --records]
    #[arg(long, value_name = "BYTES")]
    pub(crate) limit_output: Option<usize>,
    /// Write whole outputs to DIR/HOST.out and DIR/HOST.err instead
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
}

/// So many of the hosts, or so many of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Count(usize),
    Percent(usize),
}

impl Share {
    /// How many of `all` that is, rounded down.
    pub(crate) fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => all * percent / 100,
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("`{text}` is neither a number nor a percentage, such as 3 or 25%");
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse().map_err(wrong)? {
                percent @ 0..=100 => Ok(Self::Percent(percent)),
                _ => Err(format!("`{text}` is more than all")),
            },
            None => text.parse().map(Self::Count).map_err(wrong),
        }
    }
}

impl Reach {
    /// What ssh is told for every host; `ssh_config(5)` describes each.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let seconds = self.connect_timeout.as_secs().max(1);
        let keys = if self.accept_new { "accept-new" } else { "yes" };
        let mut options = vec![
            "BatchMode=yes".to_owned(),
            format!("StrictHostKeyChecking={keys}"),
            format!("ConnectTimeout={seconds}"),
            // A host that falls silent is noticed within a minute.
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=3".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "ForwardAgent=no".to_owned(),
            "LogLevel=INFO".to_owned(),
        ];
        if let Some(directory) = &self.control_path {
            options.push(format!("ControlPath={}/%C", directory.display()));
            match self.keep {
                Some(time) => {
                    options.push("ControlMaster=auto".to_owned());
                    options.push(format!("ControlPersist={}", time.as_secs().max(1)));
                }
                None => options.push("ControlMaster=no".to_owned()),
            }
        }
        let mut arguments: Vec<OsString> = ["-T", "-e", "none"].map(OsString::from).into();
        arguments.extend(options.into_iter().flat_map(|option| ["-o".into(), OsString::from(option)]));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_count_or_a_percentage() {
        assert_eq!("3".parse::<Share>().unwrap().of(100), 3);
        assert_eq!("25%".parse::<Share>().unwrap().of(10), 2);
        assert_eq!("0".parse::<Share>().unwrap().of(10), 0);
        for wrong in ["", "%", "-1", "101%", "a", "1.5"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
