//! What is wrong with a lake, as findings.

use cli::{Answer, Context, Error, Out};
use lake::{Lake, Wrong};
use model::{Finding, Severity, Status};

/// Prints what is wrong; no if anything is.
pub(crate) fn check(lake: &Lake, url: &str, out: &mut Out) -> cli::Result {
    let checked = lake.check().doing(format!("checking the lake {url}"))?;
    if checked.commits == 0 && checked.wrong.is_empty() {
        return Err(Error::invalid(format!("checking the lake {url}"), "there is none"));
    }
    let damaged = checked.wrong.iter().any(|wrong| wrong.check.starts_with("log"));
    for wrong in &checked.wrong {
        out.emit(&finding(wrong, url, damaged))?;
    }
    let bad = checked.wrong.iter().filter(|wrong| !wrong.passing).count();
    let lake::Checked { commits, files, rows, .. } = checked;
    cli::note(format!("{commits} commits, {files} files, {rows} rows; {bad} things wrong"));
    Ok(Answer::from(bad == 0))
}

fn finding(wrong: &Wrong, url: &str, damaged: bool) -> Finding {
    let (why, fix) = match wrong.check {
        "log-damaged" => ("an entry of the log cannot be read", "bring it back from a copy"),
        "log-gap" => ("an entry of the log is gone, and what it says with it", "bring it back from a copy"),
        "offsets-gap" => {
            ("rows between two commits are not in the lake", "read them again under another topic")
        }
        "offsets-overlap" => ("rows are in the lake twice", "remove the files of one of the two commits"),
        "offsets-held" => ("the entry says something else about itself", "bring it back from a copy"),
        "file-twice" => ("two commits name one file", "bring the log back from a copy"),
        "file-missing" => ("a file of the log is gone, and its rows with it", "bring it back from a copy"),
        "file-size" => ("a file is not the one that was committed", "bring it back from a copy"),
        "file-rows" => ("a file has not the rows that were committed", "bring it back from a copy"),
        _ if wrong.passing => (
            "a file that is being put, or was when a run was killed",
            "the next run of the same topic commits it",
        ),
        _ if damaged => ("a file no commit knows", "mend the log first: the entry that is gone may name it"),
        _ => ("a file no commit knows: whoever reads folders reads it, too", "remove it"),
    };
    Finding {
        tool: "lake-sink".to_owned(),
        target: if wrong.check.starts_with("file") { url.to_owned() } else { wrong.target.clone() },
        check: wrong.check.to_owned(),
        status: if wrong.passing { Status::Warn } else { Status::Fail },
        severity: if wrong.passing { Severity::Low } else { Severity::High },
        file: wrong.check.starts_with("file").then(|| wrong.target.clone()),
        line: None,
        current: wrong.current.clone(),
        want: wrong.want.clone(),
        why: why.to_owned(),
        fix: Some(fix.to_owned()),
        reference: None,
    }
}
