//! Plan, apply and undo on a real directory, step by step.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use change::{Error, Tree, Wanted};

struct Place {
    dir: tempfile::TempDir,
    tree: Tree,
}

impl Place {
    /// A tree with `/etc/a` ("old", 0640) and no `/etc/b`.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/a"), "old\n").unwrap();
        fs::set_permissions(dir.path().join("etc/a"), PermissionsExt::from_mode(0o640)).unwrap();
        let tree = Tree::new(dir.path(), "test", "lb1");
        Self { dir, tree }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn apply(&self, wanted: &[Wanted]) -> Option<u64> {
        let mut writer = self.tree.open().unwrap();
        assert!(writer.recover().unwrap().is_empty());
        writer.apply(&self.tree.plan(wanted).unwrap(), 5).unwrap()
    }
}

fn wanted() -> Vec<Wanted> {
    vec![Wanted::file("/etc/a", "new\n", 0o600), Wanted::file("/etc/deep/er/b", "b\n", 0o644)]
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_plan_touches_nothing() {
    let place = Place::new();
    assert_eq!(place.tree.plan(&wanted()).unwrap().changes().count(), 2);
    assert_eq!(place.read("etc/a"), "old\n");
    assert!(!place.path("var").exists());
}

#[test]
fn undo_restores_content_and_mode_and_takes_away_what_was_made() {
    let place = Place::new();
    place.apply(&wanted());
    assert_eq!((place.read("etc/a").as_str(), mode(&place.path("etc/a"))), ("new\n", 0o600));
    assert_eq!(place.read("etc/deep/er/b"), "b\n");
    let taken = place.tree.open().unwrap().undo(None).unwrap().unwrap();
    assert_eq!((taken.id, taken.changes.len(), taken.foreign.len()), (1, 2, 0));
    assert_eq!((place.read("etc/a").as_str(), mode(&place.path("etc/a"))), ("old\n", 0o640));
    assert!(!place.path("etc/deep").exists());
}

#[test]
fn a_second_apply_writes_nothing() {
    let place = Place::new();
    assert_eq!(place.apply(&wanted()), Some(1));
    let seen = |path: &str| {
        let found = fs::metadata(place.path(path)).unwrap();
        (found.ino(), found.mtime_nsec(), found.ctime_nsec())
    };
    let before = (seen("etc/a"), seen("etc/deep/er/b"), seen("var/lib/bareplane/undo/test"));
    assert_eq!(place.apply(&wanted()), None);
    assert_eq!((seen("etc/a"), seen("etc/deep/er/b"), seen("var/lib/bareplane/undo/test")), before);
}

#[test]
fn undo_refuses_what_somebody_changed_and_touches_nothing() {
    let place = Place::new();
    place.apply(&wanted());
    fs::write(place.path("etc/a"), "by hand\n").unwrap();
    let refused = place.tree.open().unwrap().undo(None).unwrap_err();
    assert!(matches!(&refused, Error::ChangedSince(paths) if paths == &[PathBuf::from("/etc/a")]));
    assert_eq!(place.read("etc/deep/er/b"), "b\n");
    // A changed mode alone counts too.
    fs::write(place.path("etc/a"), "new\n").unwrap();
    fs::set_permissions(place.path("etc/a"), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(place.tree.open().unwrap().undo(None), Err(Error::ChangedSince(_))));
}

#[test]
fn an_absent_file_comes_back_with_undo() {
    let place = Place::new();
    place.apply(&[Wanted::absent("/etc/a"), Wanted::absent("/etc/never-was")]);
    assert!(!place.path("etc/a").exists());
    place.tree.open().unwrap().undo(Some(1)).unwrap();
    assert_eq!((place.read("etc/a").as_str(), mode(&place.path("etc/a"))), ("old\n", 0o640));
    assert!(place.tree.open().unwrap().undo(Some(1)).unwrap().is_none(), "already undone");
}

#[test]
fn undo_walks_back_through_the_journals() {
    let place = Place::new();
    for content in ["1", "2", "3"] {
        place.apply(&[Wanted::file("/etc/a", content, 0o600)]);
    }
    for content in ["2", "1", "old\n"] {
        place.tree.open().unwrap().undo(None).unwrap();
        assert_eq!(place.read("etc/a"), content);
    }
    assert!(matches!(place.tree.open().unwrap().undo(None), Err(Error::NothingToUndo)));
}

#[test]
fn only_the_newest_journals_are_kept_and_numbers_are_never_used_again() {
    let place = Place::new();
    for content in 0..9 {
        place.apply(&[Wanted::file("/etc/a", content.to_string(), 0o600)]);
    }
    let mut left: Vec<_> = fs::read_dir(place.path("var/lib/bareplane/undo/test"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<u64>().ok())
        .collect();
    left.sort_unstable();
    assert_eq!(left, [5, 6, 7, 8, 9]);
}

#[test]
fn a_change_made_between_plan_and_install_is_not_overwritten() {
    let place = Place::new();
    let plan = place.tree.plan(&wanted()).unwrap();
    let mut writer = place.tree.open().unwrap();
    fs::write(place.path("etc/a"), "by hand\n").unwrap();
    assert!(matches!(writer.apply(&plan, 5), Err(Error::ChangedSince(_))));
    assert_eq!(place.read("etc/a"), "by hand\n");
    assert!(!place.path("etc/deep").exists());
}

#[test]
fn an_unconfirmed_change_stays_while_it_is_guarded_and_goes_with_its_guard() {
    let place = Place::new();
    let plan = place.tree.plan(&wanted()).unwrap();
    let mut writer = place.tree.open().unwrap();
    let id = writer.begin(&plan).unwrap();
    let guard = place.tree.guard(id).unwrap();
    writer.install(id, &plan).unwrap();
    writer.hold(id).unwrap();
    assert!(matches!(writer.recover(), Err(Error::Unconfirmed(1))));
    assert_eq!(writer.unconfirmed().unwrap(), Some(1));
    drop(guard);
    assert_eq!(writer.recover().unwrap()[0].changes.len(), 2);
    assert_eq!(place.read("etc/a"), "old\n");
}

#[test]
fn one_writer_at_a_time() {
    let place = Place::new();
    let held = place.tree.open().unwrap();
    assert!(matches!(place.tree.open(), Err(Error::Files(files::Error::Locked { .. }))));
    drop(held);
    place.tree.open().unwrap();
}

#[test]
fn a_directory_a_relative_path_and_a_path_given_twice_are_refused() {
    let place = Place::new();
    let plan = |wanted: &[Wanted]| place.tree.plan(wanted).unwrap_err();
    assert!(matches!(plan(&[Wanted::absent("/etc")]), Error::NotAFile(_)));
    assert!(matches!(plan(&[Wanted::absent("etc/a")]), Error::Relative(_)));
    assert!(matches!(plan(&[Wanted::absent("/etc/a"), Wanted::absent("/etc/./a")]), Error::Twice(_)));
}

#[test]
fn a_link_is_followed_inside_the_tree_and_stays_a_link() {
    let place = Place::new();
    std::os::unix::fs::symlink("/etc/a", place.path("etc/link")).unwrap();
    place.apply(&[Wanted::file("/etc/link", "new\n", 0o640)]);
    assert!(fs::symlink_metadata(place.path("etc/link")).unwrap().is_symlink());
    assert_eq!(place.read("etc/a"), "new\n");
}

#[test]
fn a_damaged_copy_is_not_put_back() {
    let place = Place::new();
    place.apply(&wanted());
    fs::write(place.path("var/lib/bareplane/undo/test/1/0.before"), "o").unwrap();
    assert!(matches!(place.tree.open().unwrap().undo(None), Err(Error::Broken { .. })));
    assert_eq!(place.read("etc/a"), "new\n");
}
