//! check, plan, apply and undo of files, as every command says them.

use change::{Error as Refusal, Report, Taken, Tree, Wanted, Writer};

use crate::{Answer, Context, Out, Result, Steps};

/// Prints every finding: no if one fails or cannot be told.
///
/// # Errors
/// Fails if standard output does.
pub fn check(report: &Report, out: &mut Out) -> Result {
    report.findings.iter().try_for_each(|judged| out.emit(&judged.finding))?;
    Ok(Answer::from(!report.is_bad()))
}

/// What fails and no change mends is not passed over in silence by who plans
/// or makes changes.
pub fn warn_of_the_rest(report: &Report) {
    report.left().for_each(crate::warn_of);
}

/// Prints what would change: status 1 if anything would.
///
/// # Errors
/// Fails if a file cannot be compared.
pub fn plan(tree: &Tree, wanted: &[Wanted], out: &mut Out) -> Result {
    let plan = tree.plan(wanted).doing("comparing")?;
    plan.changes().try_for_each(|change| out.emit(change))?;
    Ok(Answer::from(plan.is_empty()))
}

/// Takes back what a killed run left unfinished, before the files are looked
/// at: whoever edits files rather than renders them would take a half-made
/// change for what somebody wanted.
///
/// # Errors
/// Fails if somebody else is at it, or a file cannot be written.
pub fn recover(tree: &Tree, out: &mut Out) -> Result<()> {
    if tree.has_journals().doing("comparing")? { take_back(&mut open(tree)?, out) } else { Ok(()) }
}

/// Makes the files so, and prints each change made. What a killed run left
/// unfinished is taken back first. Where nothing has to change, nothing is
/// written.
///
/// # Errors
/// Fails if somebody else is at it, or a file cannot be written: then all
/// are as they were.
pub fn apply(tree: &Tree, wanted: &[Wanted], keep: usize, out: &mut Out) -> Result {
    if !tree.has_journals().doing("comparing")? && tree.plan(wanted).doing("comparing")?.is_empty() {
        return Ok(Answer::Yes);
    }
    let mut writer = open(tree)?;
    take_back(&mut writer, out)?;
    let plan = tree.plan(wanted).doing("comparing")?;
    writer.apply(&plan, keep).doing("writing")?;
    plan.changes().try_for_each(|change| out.emit(change))?;
    Ok(Answer::Yes)
}

/// Puts back what the last apply, or the one of this number, replaced.
/// Refused (status 1, a step record with `changed-since`) if somebody changed
/// a file since.
///
/// # Errors
/// Fails if there is nothing to undo, somebody else is at it, or a file
/// cannot be written.
pub fn undo(tree: &Tree, id: Option<u64>, out: &mut Out) -> Result {
    let mut writer = open(tree)?;
    take_back(&mut writer, out)?;
    match writer.undo(id) {
        Err(refusal @ Refusal::ChangedSince(_)) => {
            crate::warn(format!("undoing: {refusal}"));
            Steps::new(out).failed("undo", "changed-since")?;
            Ok(Answer::No)
        }
        taken => {
            tell(taken.doing("undoing")?.as_ref(), out)?;
            Ok(Answer::Yes)
        }
    }
}

fn open(tree: &Tree) -> Result<Writer> {
    tree.open().doing("taking the lock")
}

fn take_back(writer: &mut Writer, out: &mut Out) -> Result<()> {
    for taken in writer.recover().doing("taking back an unfinished change")? {
        crate::warn(format!("change {} was left unfinished: taken back", taken.id));
        tell(Some(&taken), out)?;
    }
    Ok(())
}

fn tell(taken: Option<&Taken>, out: &mut Out) -> Result<()> {
    let Some(taken) = taken else { return Ok(()) };
    for path in &taken.foreign {
        crate::warn(format!("{} was changed by somebody else: left alone", path.display()));
    }
    taken.changes.iter().try_for_each(|change| out.emit(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use std::fs;

    #[test]
    fn where_nothing_has_to_change_nothing_is_written_not_even_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "a\n").unwrap();
        let tree = Tree::new(dir.path(), "t", "cp1");
        let wanted = [Wanted::file("/f", "a\n", 0o644)];
        let answer = apply(&tree, &wanted, 5, &mut Out::new(Format::Json)).unwrap();
        assert_eq!(answer, Answer::Yes);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_undo_refuses_what_somebody_edited_since_and_touches_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::new(dir.path(), "t", "cp1");
        let out = &mut Out::new(Format::Json);
        apply(&tree, &[Wanted::file("/f", "a\n", 0o644)], 5, out).unwrap();
        fs::write(dir.path().join("f"), "edited\n").unwrap();
        assert_eq!(undo(&tree, None, out).unwrap(), Answer::No);
        assert_eq!(fs::read_to_string(dir.path().join("f")).unwrap(), "edited\n");
    }
}
