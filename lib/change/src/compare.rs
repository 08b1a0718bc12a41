//! What a file, a link or a setting holds, and how two such states differ.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use files::Attributes;
use model::{Action, Change};
use serde::{Deserialize, Serialize};
use similar::TextDiff;

use crate::{Error, Result};

/// The largest file that is compared or kept.
const FILE_BYTES: u64 = 16 << 20;
/// Texts longer than this are not compared line by line.
const TEXT_BYTES: usize = 1 << 20;
/// A diff is cut after so many lines.
const DIFF_LINES: usize = 1000;

/// Content, mode and owner of a file; of a symbolic link only where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) link: bool,
}

/// A [`Snapshot`] as the journal keeps it: the content by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Face {
    pub(crate) sha256: String,
    pub(crate) mode: u32,
    pub(crate) owner: Option<(u32, u32)>,
    #[serde(default)]
    pub(crate) link: bool,
}

impl Snapshot {
    /// What is at `place` now; `None` if nothing is.
    pub(crate) fn of(place: &Path) -> Result<Option<Self>> {
        let failed = |source| files::Error::Io { path: place.to_owned(), source };
        match fs::symlink_metadata(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source).into()),
            Ok(found) if found.is_symlink() => {
                return Ok(Some(Self::link(&fs::read_link(place).map_err(failed)?)));
            }
            Ok(found) if !found.is_file() => return Err(Error::NotAFile(place.to_owned())),
            Ok(_) => {}
        }
        let Attributes { mode, owner } = Attributes::of(place)?;
        Ok(Some(Self { content: files::read(place, FILE_BYTES)?, mode, owner, link: false }))
    }

    /// A symbolic link: its mode and owner mean nothing.
    pub(crate) fn link(target: &Path) -> Self {
        Self { content: target.as_os_str().as_bytes().to_vec(), mode: 0o777, owner: None, link: true }
    }

    pub(crate) fn attributes(&self) -> Attributes {
        Attributes { mode: self.mode, owner: self.owner }
    }

    pub(crate) fn face(&self) -> Face {
        Face { sha256: files::sha256_hex(&self.content), mode: self.mode, owner: self.owner, link: self.link }
    }
}

impl Face {
    /// Whether a file that looks like `self` is what `wanted` asks for.
    pub(crate) fn is(&self, wanted: &Self) -> bool {
        self.sha256 == wanted.sha256
            && self.link == wanted.link
            && self.mode == wanted.mode
            && (wanted.owner.is_none() || self.owner == wanted.owner)
    }
}

/// Whether what is there now is what is wanted.
pub(crate) fn same(now: Option<&Face>, wanted: Option<&Face>) -> bool {
    match (now, wanted) {
        (None, None) => true,
        (Some(now), Some(wanted)) => now.is(wanted),
        _ => false,
    }
}

/// The change record from one state to another.
pub(crate) fn change(
    target: &str,
    path: &Path,
    before: Option<&Snapshot>,
    after: Option<&Snapshot>,
    secret: bool,
) -> Change {
    let action = match (before, after) {
        (None, _) => Action::Create,
        (Some(_), Some(_)) => Action::Update,
        (Some(_), None) => Action::Delete,
    };
    Change {
        target: target.to_owned(),
        path: Some(path.display().to_string()),
        action,
        before_sha256: before.map(|state| state.face().sha256),
        after_sha256: after.map(|state| state.face().sha256),
        diff: if secret { None } else { diff(path, before, after) },
    }
}

/// A unified diff with git's lines for modes and owners; `None` where a side is no text.
fn diff(path: &Path, before: Option<&Snapshot>, after: Option<&Snapshot>) -> Option<String> {
    let old = text(before)?;
    let new = text(after)?;
    let mut lines = String::new();
    if let (Some(before), Some(after)) = (before, after)
        && before.link == after.link
    {
        if before.mode != after.mode {
            lines += &format!("old mode {:04o}\nnew mode {:04o}\n", before.mode, after.mode);
        }
        if let (Some(was), Some(owner)) = (before.owner, after.owner)
            && was != owner
        {
            lines += &format!("old owner {}:{}\nnew owner {}:{}\n", was.0, was.1, owner.0, owner.1);
        }
    }
    let side = |name, state: Option<_>| match state {
        Some(_) => format!("{name}{}", path.display()),
        None => "/dev/null".to_owned(),
    };
    lines += &bounded(&unified(&old, &new, &side("a", before), &side("b", after)));
    Some(lines)
}

fn unified(old: &str, new: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().header(before, after).to_string()
}

fn text(state: Option<&Snapshot>) -> Option<Cow<'_, str>> {
    let Some(state) = state else { return Some("".into()) };
    let text = if state.content.len() > TEXT_BYTES { None } else { str::from_utf8(&state.content).ok() };
    if state.link { text.map(|target| format!("-> {target}\n").into()) } else { text.map(Cow::from) }
}

/// The change record of a setting of the running machine.
pub(crate) fn setting(target: &str, name: &str, before: Option<&str>, after: Option<&str>) -> Change {
    let line = |value: Option<&str>| value.map(|value| format!("{value}\n")).unwrap_or_default();
    let digest = |value: Option<&str>| value.map(|value| files::sha256_hex(value.as_bytes()));
    Change {
        target: target.to_owned(),
        path: name.starts_with('/').then(|| name.to_owned()),
        action: match (before, after) {
            (None, _) => Action::Create,
            (Some(_), Some(_)) => Action::Update,
            (Some(_), None) => Action::Delete,
        },
        before_sha256: digest(before),
        after_sha256: digest(after),
        diff: Some(bounded(&unified(&line(before), &line(after), name, name))),
    }
}

fn bounded(text: &str) -> String {
    let all = text.lines().count();
    if all <= DIFF_LINES {
        return text.to_owned();
    }
    let kept: String = text.split_inclusive('\n').take(DIFF_LINES).collect();
    format!("{kept}... {} lines more\n", all - DIFF_LINES)
}

/// The directories that must be made before `place` can be written, outermost first.
pub(crate) fn missing_directories(place: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> =
        place.ancestors().skip(1).take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(content: &str) -> Snapshot {
        Snapshot { content: content.into(), mode: 0o644, owner: Some((0, 0)), link: false }
    }

    #[test]
    fn a_change_shows_what_goes_and_what_comes() {
        let made = change("lb1", Path::new("/f"), Some(&state("a\nb\n")), Some(&state("a\nc\n")), false);
        assert_eq!(made.action, Action::Update);
        assert_eq!(made.diff.as_deref(), Some("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let made = change("lb1", Path::new("/f"), None, Some(&state("hunter2")), true);
        assert_eq!((made.action, made.diff), (Action::Create, None));
    }

    #[test]
    fn a_mode_alone_is_a_change_that_can_be_seen() {
        let open = Snapshot { mode: 0o666, ..state("a\n") };
        let made = change("lb1", Path::new("/f"), Some(&open), Some(&state("a\n")), false);
        assert_eq!(made.diff.as_deref(), Some("old mode 0666\nnew mode 0644\n"));
    }

    #[test]
    fn a_link_shows_where_it_leads() {
        let made = change("cp1", Path::new("/u"), None, Some(&Snapshot::link(Path::new("/dev/null"))), false);
        assert_eq!(made.diff.as_deref(), Some("--- /dev/null\n+++ b/u\n@@ -0,0 +1 @@\n+-> /dev/null\n"));
    }

    #[test]
    fn a_setting_has_a_path_only_where_it_is_one() {
        let made = setting("cp1", "/proc/sys/net/ipv4/ip_forward", Some("0"), Some("1"));
        assert_eq!(made.path.as_deref(), Some("/proc/sys/net/ipv4/ip_forward"));
        assert!(made.diff.unwrap().ends_with("@@ -1 +1 @@\n-0\n+1\n"));
        let gone = setting("cp1", "swap /dev/sda2", Some("priority -2"), None);
        assert_eq!((gone.path, gone.action), (None, Action::Delete));
    }

    #[test]
    fn what_is_no_text_has_no_diff() {
        let binary = Snapshot { content: vec![0xff, 0xfe], ..state("") };
        assert_eq!(change("lb1", Path::new("/f"), None, Some(&binary), false).diff, None);
    }

    #[test]
    fn a_long_diff_is_cut_and_says_so() {
        let long: String = (0..5000).map(|n| format!("{n}\n")).collect();
        let diff = change("lb1", Path::new("/f"), None, Some(&state(&long)), false).diff.unwrap();
        assert_eq!(diff.lines().count(), DIFF_LINES + 1);
        assert!(diff.ends_with("... 4003 lines more\n"), "{}", &diff[diff.len() - 40..]);
    }
}
