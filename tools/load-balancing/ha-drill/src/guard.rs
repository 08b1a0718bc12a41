//! Healing when this process cannot: killed, out of memory, or in a panic.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A process that heals as soon as this one has gone without saying goodbye.
///
/// It waits on a pipe nobody else holds; the end of the pipe, whatever
/// brought it about, is its call. In a group of its own, it is not ended by
/// the keys that end this one.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Sets up the guard with the words of the healing command.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    pub(crate) fn arm(heal: &[String]) -> io::Result<Self> {
        // The script is constant; the command comes as its arguments, never as text.
        let mut child = Command::new("sh")
            .args(["-c", r#"read -r goodbye || exec "$@""#, "ha-drill-guard"])
            .args(heal)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Says goodbye: it is healed, or given up.
    pub(crate) fn dismiss(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(b"goodbye\n");
        }
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(dir: &std::path::Path) -> (Guard, std::path::PathBuf) {
        let file = dir.join("healed; it's");
        (Guard::arm(&["touch".into(), file.display().to_string()]).unwrap(), file)
    }

    #[test]
    fn a_guard_left_alone_heals() {
        let dir = tempfile::tempdir().unwrap();
        let (mut guard, file) = armed(dir.path());
        drop(guard.pipe.take());
        guard.child.wait().unwrap();
        assert!(file.exists());
    }

    #[test]
    fn a_guard_dismissed_does_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (guard, file) = armed(dir.path());
        guard.dismiss();
        assert!(!file.exists());
    }
}
