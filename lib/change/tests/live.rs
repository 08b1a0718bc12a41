//! Links, and settings of a machine that runs, changed and taken back with files.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use change::{Error, Live, Refused, Tree, Wanted};

/// A machine of named values, which notes the order of what is done to it.
#[derive(Debug, Default)]
struct Machine {
    values: RefCell<BTreeMap<String, String>>,
    done: RefCell<Vec<String>>,
    refuses: Cell<Option<&'static str>>,
}

impl Live for Machine {
    fn read(&self, name: &str) -> Result<Option<String>, Refused> {
        Ok(self.values.borrow().get(name).cloned())
    }

    fn write(&self, name: &str, value: Option<&str>) -> Result<(), Refused> {
        if self.refuses.get() == Some(name) {
            return Err(Refused::unavailable(format!("writing {name}: no")));
        }
        self.done.borrow_mut().push(format!("{name}={}", value.unwrap_or("-")));
        let mut values = self.values.borrow_mut();
        match value {
            Some(value) => values.insert(name.into(), value.into()),
            None => values.remove(name),
        };
        Ok(())
    }

    fn settle(&self, files: &[PathBuf]) -> Result<(), Refused> {
        self.done.borrow_mut().push(format!("settle {}", files.len()));
        Ok(())
    }
}

fn place() -> (tempfile::TempDir, Rc<Machine>, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let machine = Rc::new(Machine::default());
    machine.values.borrow_mut().extend([("forward".into(), "0".into()), ("swap /f".into(), "on".into())]);
    let live: Rc<dyn Live> = Rc::<Machine>::clone(&machine);
    let tree = Tree::new(dir.path(), "test", "cp1").running(live);
    (dir, machine, tree)
}

fn wanted() -> [Wanted; 4] {
    [
        Wanted::setting("forward", Some("1")),
        Wanted::setting("swap /f", None),
        Wanted::file("/etc/fstab", "#off\n", 0o644),
        Wanted::link("/etc/systemd/system/swap.target", "/dev/null"),
    ]
}

fn apply(tree: &Tree, wanted: &[Wanted]) -> change::Result<Option<u64>> {
    let mut writer = tree.open().unwrap();
    writer.recover().unwrap();
    writer.apply(&tree.plan(wanted).unwrap(), 5)
}

#[test]
fn files_come_first_then_whoever_reads_them_then_settings() {
    let (dir, machine, tree) = place();
    assert_eq!(tree.plan(&wanted()).unwrap().changes().count(), 4);
    apply(&tree, &wanted()).unwrap();
    assert_eq!(*machine.done.borrow(), ["settle 2", "forward=1", "swap /f=-"]);
    let mask = dir.path().join("etc/systemd/system/swap.target");
    assert_eq!(fs::read_link(&mask).unwrap(), Path::new("/dev/null"));
    assert!(tree.plan(&wanted()).unwrap().is_empty(), "the second plan is empty");

    machine.done.borrow_mut().clear();
    let taken = tree.open().unwrap().undo(None).unwrap().unwrap();
    assert_eq!(taken.changes.len(), 4);
    assert_eq!(*machine.done.borrow(), ["settle 2", "swap /f=on", "forward=0"]);
    assert!(!mask.is_symlink() && !dir.path().join("etc").exists());
}

#[test]
fn a_link_that_replaces_a_file_gives_it_back() {
    let (dir, _, tree) = place();
    let unit = dir.path().join("u");
    fs::write(&unit, "[Swap]\n").unwrap();
    apply(&tree, &[Wanted::link("/u", "/dev/null")]).unwrap();
    assert!(unit.is_symlink());
    tree.open().unwrap().undo(None).unwrap();
    assert_eq!(fs::read_to_string(&unit).unwrap(), "[Swap]\n");
    assert!(!unit.is_symlink());
}

#[test]
fn a_link_that_leads_elsewhere_since_is_not_undone() {
    let (dir, _, tree) = place();
    apply(&tree, &[Wanted::link("/u", "/dev/null")]).unwrap();
    fs::remove_file(dir.path().join("u")).unwrap();
    symlink("/elsewhere", dir.path().join("u")).unwrap();
    assert!(matches!(tree.open().unwrap().undo(None), Err(Error::ChangedSince(_))));
}

#[test]
fn a_refused_setting_takes_everything_back() {
    let (dir, machine, tree) = place();
    machine.refuses.set(Some("swap /f"));
    let error = apply(&tree, &wanted()).unwrap_err();
    assert_eq!(error.to_string(), "writing swap /f: no");
    assert_eq!(machine.values.borrow()["forward"], "0");
    assert!(!dir.path().join("etc").exists());
}

#[test]
fn a_run_that_died_among_the_settings_is_taken_back() {
    let (_dir, machine, tree) = place();
    let mut writer = tree.open().unwrap();
    let plan = tree.plan(&wanted()).unwrap();
    let id = writer.begin(&plan).unwrap();
    writer.install(id, &plan).unwrap();
    machine.values.borrow_mut().insert("swap /f".into(), "on".into());
    drop(writer);
    let taken = tree.open().unwrap().recover().unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(machine.values.borrow()["forward"], "0");
    assert_eq!(machine.values.borrow()["swap /f"], "on");
}

#[test]
fn a_setting_somebody_changed_since_is_not_undone_and_one_that_is_gone_is_no_matter() {
    let (_dir, machine, tree) = place();
    apply(&tree, &wanted()).unwrap();
    machine.values.borrow_mut().insert("forward".into(), "2".into());
    assert!(matches!(tree.open().unwrap().undo(None), Err(Error::ChangedSince(_))));
    machine.values.borrow_mut().remove("forward");
    let taken = tree.open().unwrap().undo(None).unwrap().unwrap();
    assert_eq!(taken.changes.len(), 3);
    assert!(!machine.values.borrow().contains_key("forward"));
}

#[test]
fn a_tree_that_does_not_run_has_no_settings() {
    let (dir, _, _) = place();
    let tree = Tree::new(dir.path(), "test", "cp1");
    assert!(matches!(tree.plan(&wanted()), Err(Error::NotRunning(_))));
}
