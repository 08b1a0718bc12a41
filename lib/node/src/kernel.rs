//! The settings of the running machine, read and written.
//!
//! | name | value |
//! |---|---|
//! | `/proc/sys/…`, `/sys/…` | what the file says |
//! | `swap PATH` | `priority N` |
//! | `module NAME` | `loaded` |
//! | `service UNIT` | `active` |
//! | `hostname` | the name |
//! | `nft TABLES` | which of our rules are loaded |

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use change::{Live, Refused};
use model::{Fault, Kind};
use process::{End, Limits};

use crate::firewall::{nft, runs};
use crate::machine::UNITS;
use crate::{Machine, modules, swap};

/// Taking swap back into memory may take its time.
const SWAP: Duration = Duration::from_mins(10);
const QUICK: Duration = Duration::from_mins(1);

/// The running machine as [`change`] sees it.
#[derive(Debug, Default)]
pub struct Kernel;

impl Live for Kernel {
    fn read(&self, name: &str) -> Result<Option<String>, Refused> {
        let machine = Machine::running();
        if name.starts_with('/') {
            return match fs::read_to_string(name) {
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&format!("reading {name}"), &error)),
            };
        }
        Ok(match name.split_once(' ') {
            None => machine.kernel_text("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()),
            Some(("swap", path)) => {
                let areas = swap::areas(&machine.kernel_text("/proc/swaps").unwrap_or_default());
                let area = areas.into_iter().find(|(area, _)| area == path);
                area.map(|(_, priority)| format!("priority {priority}"))
            }
            Some(("module", module)) => modules::works(&machine, module).then(|| "loaded".to_owned()),
            Some(("nft", tables)) => nft::read(tables).map_err(|error| refused(&error))?,
            Some((_, unit)) => runs(&machine, unit).then(|| "active".to_owned()),
        })
    }

    fn write(&self, name: &str, value: Option<&str>) -> Result<(), Refused> {
        if name.starts_with('/') {
            return match value {
                // What the kernel had no value for needs none back.
                None => Ok(()),
                Some(value) => fs::write(name, value)
                    .map_err(|error| failed(&format!("writing {value} to {name}"), &error)),
            };
        }
        match (name.split_once(' '), value) {
            (None, value) => {
                let doing = "setting the hostname";
                let errno = |errno: nix::Error| failed(doing, &std::io::Error::from(errno));
                nix::unistd::sethostname(value.unwrap_or("localhost")).map_err(errno)
            }
            (Some(("swap", path)), None) => run(Command::new("swapoff").arg(path), SWAP),
            (Some(("swap", path)), Some(priority)) => swapon(path, priority),
            (Some(("module", module)), Some(_)) => load(module),
            // Others may have come to use it: it stays until the next boot.
            (Some(("module", _)), None) => Ok(()),
            (Some(("nft", tables)), value) => {
                nft::write(&Machine::running(), tables, value).map_err(|error| refused(&error))
            }
            (Some((_, unit)), value) => {
                let verb = if value.is_some() { "start" } else { "stop" };
                run(Command::new("systemctl").args([verb, unit]), QUICK)
            }
        }
    }

    fn settle(&self, files: &[PathBuf]) -> Result<(), Refused> {
        let any = |test: &dyn Fn(&Path) -> bool| files.iter().any(|file| test(file));
        let systemd = Path::new("/run/systemd/system").exists();
        let generated = |path: &Path| path == Path::new("/etc/fstab") || path.starts_with("/etc/systemd");
        if systemd && any(&|path| path.starts_with(UNITS) || generated(path)) {
            run(Command::new("systemctl").arg("daemon-reload"), QUICK)?;
        }
        if any(&|path| path.starts_with("/etc/ufw")) && Path::new("/usr/sbin/ufw").exists() {
            ufw(&Machine::running())?;
        }
        if any(&|path| path.starts_with("/etc/firewalld")) && runs(&Machine::running(), "firewalld.service") {
            run(Command::new("firewall-cmd").args(["-q", "--reload"]), QUICK)?;
        }
        Ok(())
    }
}

/// ufw as its configuration says: loaded anew, or off.
fn ufw(machine: &Machine) -> Result<(), Refused> {
    let text = machine.text("/etc/ufw/ufw.conf").map_err(|error| refused(&error))?.unwrap_or_default();
    if text.lines().any(|line| line.trim() == "ENABLED=no") {
        run(Command::new("/usr/lib/ufw/ufw-init").arg("force-stop"), QUICK)
    } else {
        run(Command::new("/usr/lib/ufw/ufw-init").arg("force-reload"), QUICK)
    }
}

fn swapon(path: &str, priority: &str) -> Result<(), Refused> {
    let number = priority.trim_start_matches("priority ");
    let mut command = Command::new("swapon");
    // Negative ones are the kernel's own choice.
    if !number.starts_with('-') {
        command.args(["-p", number]);
    }
    run(command.arg(path), QUICK)
}

/// modprobe may fail for a module that is built in, and succeed for one that
/// does nothing: what counts is whether it works then.
fn load(module: &str) -> Result<(), Refused> {
    let said = run(Command::new("modprobe").args(["-q", module]), QUICK);
    if modules::works(&Machine::running(), module) || said.is_ok() { Ok(()) } else { said }
}

fn run(command: &mut Command, time: Duration) -> Result<(), Refused> {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let said = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let done = process::run(command, &Limits::within(time)).map_err(|error| refused(&error))?;
    let why = match done.end {
        End::Code(0) => return Ok(()),
        End::TimedOut => format!("no end within {} s", time.as_secs()),
        End::Code(code) => format!("status {code}"),
        End::Signal(signal) => format!("ended by signal {signal}"),
    };
    let stderr = String::from_utf8_lossy(&done.stderr);
    let why = stderr.lines().next_back().map_or(why, str::to_owned);
    Err(Refused::unavailable(format!("{said}: {why}")))
}

fn failed(doing: &str, error: &std::io::Error) -> Refused {
    // A kernel that refuses a write may take it once something else is so; a
    // missing permission never goes away by itself.
    let kind = if error.kind() == ErrorKind::PermissionDenied { Kind::Invalid } else { Kind::Unavailable };
    Refused { kind, why: format!("{doing}: {error}") }
}

fn refused(error: &impl Fault) -> Refused {
    Refused { kind: error.kind(), why: error.to_string() }
}
