//! What a file holds, and how two such states differ.

use std::fs;
use std::io::ErrorKind;
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

/// Content, mode and owner of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) owner: Option<(u32, u32)>,
}

/// A [`Snapshot`] as the journal keeps it: the content by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Face {
    pub(crate) sha256: String,
    pub(crate) mode: u32,
    pub(crate) owner: Option<(u32, u32)>,
}

impl Snapshot {
    /// What is at `place` now; `None` if nothing is.
    pub(crate) fn of(place: &Path) -> Result<Option<Self>> {
        match fs::symlink_metadata(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(files::Error::Io { path: place.to_owned(), source }.into()),
            Ok(found) if !found.is_file() => return Err(Error::NotAFile(place.to_owned())),
            Ok(_) => {}
        }
        let Attributes { mode, owner } = Attributes::of(place)?;
        Ok(Some(Self { content: files::read(place, FILE_BYTES)?, mode, owner }))
    }

    pub(crate) fn attributes(&self) -> Attributes {
        Attributes { mode: self.mode, owner: self.owner }
    }

    pub(crate) fn face(&self) -> Face {
        Face { sha256: files::sha256_hex(&self.content), mode: self.mode, owner: self.owner }
    }
}

impl Face {
    /// Whether a file that looks like `self` is what `wanted` asks for.
    pub(crate) fn is(&self, wanted: &Self) -> bool {
        self.sha256 == wanted.sha256
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
    if let (Some(before), Some(after)) = (before, after) {
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
    let compared = TextDiff::from_lines(old, new);
    let unified = compared.unified_diff().header(&side("a", before), &side("b", after)).to_string();
    lines += &bounded(&unified);
    Some(lines)
}

fn text(state: Option<&Snapshot>) -> Option<&str> {
    let content = state.map_or(&[][..], |state| &state.content);
    if content.len() > TEXT_BYTES { None } else { str::from_utf8(content).ok() }
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
        Snapshot { content: content.into(), mode: 0o644, owner: Some((0, 0)) }
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
