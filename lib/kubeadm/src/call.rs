//! Running kubeadm: documents through a pipe, secrets in no argument and no message.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use model::{Fault, Kind};
use process::{End, Finished, Limits};

/// So many lines of what kubeadm complained of are passed on.
const LINES: usize = 12;
/// What its checks of files call /etc/kubernetes.
const ETC: &str = "Available--etc-kubernetes";
/// What kubeadm calls letting a check of its own pass.
const IGNORE: &str = "--ignore-preflight-errors=";

/// One run of kubeadm.
#[derive(Clone)]
pub struct Call {
    /// The program.
    pub program: PathBuf,
    /// Its words; the document is read from /dev/stdin.
    pub words: Vec<String>,
    /// The configuration, with its secrets.
    pub document: String,
    /// What no message may repeat.
    pub secrets: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How kubeadm failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] process::Error),
    /// Its own checks found the machine unfit; each reason is one of theirs.
    #[error("{}", .0.join("; "))]
    Preflight(Vec<String>),
    /// It said no to its document.
    #[error("{}", .0.join("; "))]
    Document(Vec<String>),
    /// It gave up.
    #[error("{}", .0.join("; "))]
    GaveUp(Vec<String>),
    /// Its time was up, and it was ended.
    #[error("not done in {} s; it said last: {last}", timeout.as_secs())]
    Late {
        /// The time it had.
        timeout: Duration,
        /// Its last line.
        last: String,
    },
}

impl Failure {
    /// The lower-case word records carry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Start(_) => "not-started",
            Self::Preflight(_) => "preflight",
            Self::Document(_) => "document",
            Self::GaveUp(_) => "failed",
            Self::Late { .. } => "timeout",
        }
    }
}

impl Fault for Failure {
    fn kind(&self) -> Kind {
        match self {
            Self::Start(error) => error.kind(),
            Self::Preflight(_) | Self::Document(_) => Kind::Invalid,
            Self::GaveUp(_) | Self::Late { .. } => Kind::Unavailable,
        }
    }
}

impl Call {
    /// The word that lets kubeadm pass by what a killed run of it left. None
    /// if `words` let it pass everything: kubeadm refuses both.
    pub fn past_what_is_left(api_port: u16, words: &[String]) -> Option<String> {
        if words
            .iter()
            .any(|word| word.starts_with(IGNORE) && word[IGNORE.len()..].split(',').any(|one| one == "all"))
        {
            return None;
        }
        let files = ["bootstrap-kubelet.conf", "kubelet.conf", "pki-ca.crt"].map(str::to_owned);
        let manifests = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"]
            .map(|name| format!("manifests-{name}.yaml"));
        let files = files.into_iter().chain(manifests).map(|name| format!("File{ETC}-{name}"));
        let directories = [format!("Dir{ETC}-manifests"), "DirAvailable--var-lib-etcd".into()];
        let ports = [api_port, 10250, 10257, 10259, 2379, 2380].map(|port| format!("Port-{port}"));
        let checks = files.chain(directories).chain(ports).collect::<Vec<_>>().join(",");
        Some(format!("{IGNORE}{checks}"))
    }

    /// The command line as a person would type it.
    pub fn line(&self) -> String {
        std::iter::once("kubeadm").chain(self.words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end; what it printed.
    ///
    /// # Errors
    /// Says how it failed, without its secrets.
    pub fn run(&self) -> Result<String, Failure> {
        let mut limits = Limits::within(self.timeout);
        limits.input = self.document.clone().into_bytes();
        let done = process::run(Command::new(&self.program).args(&self.words), &limits)?;
        if done.end.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(self.failure(&done))
    }

    /// kubeadm exits with 2 after its preflight checks, 3 if its document is
    /// no good, 1 otherwise (kubeadm, app/util/error.go).
    fn failure(&self, done: &Finished) -> Failure {
        let said = format!("{}\n{}", self.without_secrets(&done.stdout), self.without_secrets(&done.stderr));
        let lines = complaints(&said);
        match done.end {
            End::TimedOut => {
                Failure::Late { timeout: self.timeout, last: lines.last().cloned().unwrap_or_default() }
            }
            End::Code(2) => Failure::Preflight(lines),
            End::Code(3) => Failure::Document(lines),
            End::Code(_) => Failure::GaveUp(lines),
            End::Signal(signal) => Failure::GaveUp(vec![format!("ended by signal {signal}")]),
        }
    }

    fn without_secrets(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).into_owned();
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "****"))
    }
}

/// The lines that say what is wrong: those of its checks if there are any,
/// what follows `error`, or the last ones.
fn complaints(said: &str) -> Vec<String> {
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let checks: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("[ERROR ")).collect();
    if !checks.is_empty() {
        return checks.into_iter().take(LINES).map(|line| line.replacen("]:", ":", 1)).collect();
    }
    let from =
        lines.iter().rposition(|line| line.starts_with("error")).unwrap_or(lines.len().saturating_sub(1));
    let rest = lines[from..].iter().filter(|line| !line.starts_with("To see the stack trace"));
    let told: Vec<_> = rest.take(LINES).map(|line| (*line).to_owned()).collect();
    if told.is_empty() { vec!["it said nothing".into()] } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn call(script: &str) -> (tempfile::TempDir, Call) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("kubeadm");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let call = Call {
            program,
            words: vec!["init".into(), "--config".into(), "/dev/stdin".into()],
            document: "token: abcdef.0123456789abcdef\n".into(),
            secrets: vec!["0123456789abcdef".into()],
            timeout: Duration::from_secs(5),
        };
        (dir, call)
    }

    #[test]
    fn the_document_arrives_through_the_pipe() {
        let (_dir, call) = call("cat \"$3\"");
        assert_eq!(call.run().unwrap(), call.document);
        assert_eq!(call.line(), "kubeadm init --config /dev/stdin");
    }

    #[test]
    fn all_checks_and_some_do_not_go_together() {
        let words = |text: &str| [text.to_owned()];
        assert!(Call::past_what_is_left(6443, &words("--ignore-preflight-errors=Swap,all")).is_none());
        let some = Call::past_what_is_left(8443, &words("--ignore-preflight-errors=Swap")).unwrap();
        assert!(some.starts_with("--ignore-preflight-errors=File") && some.contains(",Port-8443,"), "{some}");
    }

    #[test]
    fn what_its_checks_found_is_told_one_by_one() {
        let (_dir, call) = call(
            "cat >/dev/null; printf 'error: error execution phase preflight: [preflight] Some fatal errors occurred:\\n\\t[ERROR Port-6443]: Port 6443 is in use\\n\\t[ERROR Swap]: swap is on\\n[preflight] If you know what you are doing\\n' >&2; exit 2",
        );
        let Failure::Preflight(found) = call.run().unwrap_err() else { panic!("another failure") };
        assert_eq!(found, ["Port-6443: Port 6443 is in use", "Swap: swap is on"]);
    }

    #[test]
    fn no_message_repeats_a_secret() {
        let (_dir, call) = call("echo \"error: bad token $(cat \"$3\")\" >&2; exit 1");
        let told = call.run().unwrap_err().to_string();
        assert!(told.contains("abcdef.****") && !told.contains("0123456789abcdef"), "{told}");
    }

    #[test]
    fn a_hang_ends_at_its_deadline() {
        let (_dir, mut call) = call("echo '[kubelet-check] Waiting'; exec sleep 60");
        call.timeout = Duration::from_millis(300);
        let error = call.run().unwrap_err();
        assert_eq!(error.word(), "timeout");
        assert!(error.to_string().contains("[kubelet-check] Waiting"), "{error}");
    }
}
