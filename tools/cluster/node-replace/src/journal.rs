//! What has been done: one file, written before each step and after it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use cli::{Context, Error};
use files::{Attributes, Lock};
use serde::{Deserialize, Serialize};

/// Far above any journal.
const LIMIT_BYTES: u64 = 1 << 20;

/// How far a replacement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Something is left to do.
    Begun,
    /// All is done.
    Finished,
    /// It was taken back.
    Undone,
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    Cordon,
    Drain,
    EtcdMember,
    Node,
}

impl Step {
    pub(crate) const ALL: [Self; 4] = [Self::Cordon, Self::Drain, Self::EtcdMember, Self::Node];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cordon => "cordon",
            Self::Drain => "drain",
            Self::EtcdMember => "etcd-member",
            Self::Node => "node",
        }
    }
}

/// What is to be done, and what has been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) node: String,
    /// The node's uid; `None` if there was no node.
    pub(crate) uid: Option<String>,
    /// Whether it is we who cordoned it.
    pub(crate) cordoned: bool,
    /// The node's member of etcd; `None` if it had none.
    pub(crate) member: Option<Member>,
    pub(crate) steps: Vec<Done>,
    pub(crate) state: State,
}

/// A member of etcd, by what tells it from its successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// In hex, as etcdctl prints it.
    pub(crate) id: String,
    pub(crate) cluster: String,
    pub(crate) peer_urls: Vec<String>,
}

impl Member {
    pub(crate) fn number(&self) -> u64 {
        u64::from_str_radix(&self.id, 16).unwrap_or_default()
    }
}

/// A step that began, and perhaps ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) step: Step,
    pub(crate) ended: bool,
}

impl Journal {
    pub(crate) fn has_begun(&self, step: Step) -> bool {
        self.steps.iter().any(|done| done.step == step)
    }

    pub(crate) fn has_ended(&self, step: Step) -> bool {
        self.steps.iter().any(|done| done.step == step && done.ended)
    }

    fn note(&mut self, step: Step, ended: bool) {
        self.steps.retain(|done| done.step != step);
        self.steps.push(Done { step, ended });
    }
}

/// Where the journal is, and the lock that keeps two runs apart.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    #[expect(dead_code, reason = "held for its drop")]
    lock: Option<Lock>,
}

impl Folder {
    pub(crate) fn open(path: PathBuf, lock: bool) -> files::Result<Self> {
        let lock = if lock {
            let io = |source| files::Error::Io { path: path.clone(), source };
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(io)?;
            Some(Lock::acquire(&path.join("lock"))?)
        } else {
            None
        };
        Ok(Self { path, lock })
    }

    /// The journal; `None` if there is none, or if it is over and another one shall begin.
    pub(crate) fn load(&self, again: bool) -> cli::Result<Option<Journal>> {
        let path = self.path.join("journal.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read(&path, LIMIT_BYTES).doing("reading the journal")?;
        let journal: Journal = serde_json::from_slice(&text).map_err(|error| {
            Error::invalid(format!("reading {}", path.display()), error)
                .hint("it is not what node-replace wrote; look at it, move it away")
        })?;
        Ok(Some(journal).filter(|journal| !(again && journal.state == State::Finished)))
    }

    /// Writes it; it survives a power cut.
    pub(crate) fn store(&self, journal: &Journal) -> cli::Result<()> {
        let text = serde_json::to_vec_pretty(journal).invalid("writing the journal")?;
        let path = self.path.join("journal.json");
        files::replace(&path, &text, &Attributes::mode(0o600)).doing("writing the journal")
    }

    pub(crate) fn begin(&self, journal: &mut Journal, step: Step) -> cli::Result<()> {
        journal.note(step, false);
        self.store(journal)
    }

    pub(crate) fn end(&self, journal: &mut Journal, step: Step) -> cli::Result<()> {
        journal.note(step, true);
        self.store(journal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cp2");
        let member = Member { id: "8e9e05c52164694d".into(), cluster: "1".into(), peer_urls: vec![] };
        assert_eq!(member.number(), 0x8e9e_05c5_2164_694d);
        let mut journal = Journal {
            node: "cp2".into(),
            uid: Some("17".into()),
            cordoned: true,
            member: Some(member),
            steps: vec![],
            state: State::Begun,
        };
        let folder = Folder::open(path.clone(), true).unwrap();
        assert!(matches!(Folder::open(path.clone(), true), Err(files::Error::Locked { .. })));
        folder.begin(&mut journal, Step::Cordon).unwrap();
        folder.end(&mut journal, Step::Cordon).unwrap();
        folder.begin(&mut journal, Step::Drain).unwrap();
        drop(folder);
        let found = Folder::open(path.clone(), false).unwrap().load(false).unwrap().unwrap();
        assert_eq!(found, journal);
        assert!(
            found.has_ended(Step::Cordon) && found.has_begun(Step::Drain) && !found.has_ended(Step::Drain)
        );
        // Only what is over gives way to another one.
        let folder = Folder::open(path, true).unwrap();
        assert!(folder.load(true).unwrap().is_some());
        folder.store(&Journal { state: State::Finished, ..journal }).unwrap();
        assert!(folder.load(true).unwrap().is_none() && folder.load(false).unwrap().is_some());
    }
}
