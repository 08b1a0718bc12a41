//! Asking each daemon whether it would take a file.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use process::{End, Finished, Limits};

/// A daemon whose configuration this is, told by the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    Haproxy,
    Keepalived,
}

impl Daemon {
    /// The daemon that reads `path`; `None` for other files, which need no reload.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        [Self::Haproxy, Self::Keepalived].into_iter().find(|daemon| daemon.file() == name)
    }

    /// The name its file goes by.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy.cfg",
            Self::Keepalived => "keepalived.conf",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Keepalived => "keepalived",
        }
    }
}

/// How long a daemon may look at a file.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a daemon would not take a file.
pub(crate) enum Refusal {
    /// Its reasons, one a line.
    Says(Vec<String>),
    /// It could not be asked.
    Mute(process::Error),
}

/// Asks `daemon` whether it would take the file at `path`.
pub(crate) fn check(daemon: Daemon, path: &Path) -> Result<(), Refusal> {
    let no = |why: &str| Err(Refusal::Says(vec![why.to_owned()]));
    // `keepalived -t` says 0 for a missing file and for /dev/null.
    let text = match files::read(path, 16 << 20) {
        Ok(text) if path.is_file() => text,
        Ok(_) => return no("not a regular file"),
        Err(error) => return no(&error.to_string()),
    };
    if text.trim_ascii().is_empty() {
        return no("empty");
    }
    let mut command = Command::new(daemon.name());
    match daemon {
        Daemon::Haproxy => command.arg("-c").arg("-f").arg(path),
        Daemon::Keepalived => {
            if !has_script_security(&text) {
                return no(
                    "no enable_script_security: without it `keepalived -t` answers 6 and hides other faults",
                );
            }
            command.arg("-t").arg("-f").arg(path)
        }
    };
    let done = process::run(&mut command, &Limits::within(TIMEOUT)).map_err(Refusal::Mute)?;
    // A warning makes 5 of it: only 0 counts.
    if done.end.success() { Ok(()) } else { Err(Refusal::Says(reasons(&done))) }
}

/// Whether a keepalived.conf has the word `enable_script_security` where it counts.
fn has_script_security(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = line.split(|byte| matches!(byte, b'#' | b'!')).next().unwrap_or_default();
        line.split(u8::is_ascii_whitespace).any(|word| word == b"enable_script_security")
    })
}

/// What a daemon complained of, without its decoration, at most ten lines.
fn reasons(done: &Finished) -> Vec<String> {
    let mut lines: Vec<String> = [&done.stderr, &done.stdout]
        .into_iter()
        .flat_map(|stream| String::from_utf8_lossy(stream).lines().filter_map(plain).collect::<Vec<_>>())
        .collect();
    lines.dedup();
    lines.truncate(10);
    if lines.is_empty() {
        lines.push(match done.end {
            End::Code(code) => format!("status {code}"),
            End::Signal(signal) => format!("ended by signal {signal}"),
            End::TimedOut => format!("no answer within {} s", TIMEOUT.as_secs()),
        });
    }
    lines
}

/// A line of haproxy's without `[ALERT]    (123) : `, or of keepalived's as it
/// is; `None` for what is no complaint.
fn plain(line: &str) -> Option<String> {
    if line.starts_with("[NOTICE]") || line.contains("Fatal errors found in configuration") {
        return None;
    }
    let bare = line.strip_prefix('[').and_then(|rest| rest.split_once(") : ")).map_or(line, |(_, text)| text);
    let bare = bare.strip_prefix("config : ").unwrap_or(bare).trim();
    (!bare.is_empty()).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_tells_its_daemon() {
        assert_eq!(Daemon::of(Path::new("/lab/lb1/haproxy.cfg")), Some(Daemon::Haproxy));
        assert_eq!(Daemon::of(Path::new("/etc/keepalived/keepalived.conf")), Some(Daemon::Keepalived));
        assert_eq!(Daemon::of(Path::new("/etc/sysctl.d/90-lb.conf")), None);
    }

    #[test]
    fn a_comment_does_not_turn_script_security_on() {
        assert!(has_script_security(b"global_defs {\n    enable_script_security\n}\n"));
        assert!(!has_script_security(b"# enable_script_security\n! enable_script_security\n"));
    }

    #[test]
    fn decoration_is_taken_off() {
        assert_eq!(plain("[ALERT]    (123) : config : bad").as_deref(), Some("bad"));
        assert_eq!(plain("(Line 3) Unknown keyword 'x'").as_deref(), Some("(Line 3) Unknown keyword 'x'"));
        assert_eq!(plain("[NOTICE]   (123) : haproxy version is 2.6.12"), None);
    }
}
