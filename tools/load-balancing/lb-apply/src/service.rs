//! The daemons that serve: are they there, did they reload, do they work.

use std::ffi::OsString;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use change::Tree;
use clap::Args;
use cli::{Context, Error};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::{Target, Trust};

use crate::master;
use crate::patience::Patience;
use crate::validate::{self, Daemon, Refusal};

/// How long a keepalived that cannot live with its file takes to end.
const SETTLE: Duration = Duration::from_millis(500);
/// The deadline of one look at the verify URL.
const LOOK: Duration = Duration::from_secs(2);

/// How to reach the daemons, and how to tell that they serve.
#[derive(Args, Clone, Default)]
pub(crate) struct Service {
    /// Reload haproxy through its master socket S
    #[arg(long, value_name = "S")]
    haproxy_master: Option<PathBuf>,
    /// Reload the keepalived whose process number is in F
    #[arg(long, value_name = "F")]
    keepalived_pid: Option<PathBuf>,
    /// Ask URL after the reload; it must answer 200
    #[arg(long, value_name = "URL")]
    verify_url: Option<String>,
    /// Trust the certificates in FILE when asking URL
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Want at least N servers up in each backend of haproxy
    #[arg(long, value_name = "N", requires = "haproxy_master")]
    min_up: Option<usize>,
    /// Give each of reload and verification this much time
    #[arg(long, value_name = "TIME", default_value = "10s")]
    verify_timeout: cli::Duration,
}
