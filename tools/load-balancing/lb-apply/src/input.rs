//! The wanted files, from `file` records on standard input.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use change::Wanted;
use cli::{Context, Error, Input};
use model::WantedFile;

/// What to install, and on which node.
pub(crate) struct Set {
    pub(crate) node: String,
    pub(crate) files: Vec<Wanted>,
}

/// Reads the files of one node; records of other types are passed over.
///
/// Anything wrong with any record refuses the whole stream: a set that came
/// through damaged in part is not installed in part.
pub(crate) fn read(input: &Input, node: Option<&str>) -> cli::Result<Set> {
    let doing = format!("reading {input}");
    let mut records = Vec::new();
    for record in input.records::<serde_json::Value>()? {
        let record = record?;
        if record["record"] == "file" {
            records.push(serde_json::from_value::<WantedFile>(record).invalid(&doing)?);
        }
    }
    let wrong: Vec<_> =
        records.iter().filter_map(|file| fault(file).map(|why| format!("{}: {why}", file.path))).collect();
    if !wrong.is_empty() {
        return Err(Error::invalid_all(doing, wrong));
    }
    choose(&records, node).map_err(|(why, hint)| Error::invalid(doing, why).hint(hint))
}

/// The records of one node as wanted files; or why it cannot be told which, and what helps.
fn choose(records: &[WantedFile], node: Option<&str>) -> Result<Set, (String, String)> {
    let nodes: BTreeSet<_> = records.iter().filter_map(|file| file.node.as_deref()).collect();
    let names = nodes.iter().copied().collect::<Vec<_>>().join(", ");
    if node.is_none() && nodes.len() > 1 {
        let hint = "--node NAME says which of them this is".to_owned();
        return Err((format!("files of several nodes: {names}"), hint));
    }
    let ours = |file: &&WantedFile| node.is_none() || file.node.is_none() || file.node.as_deref() == node;
    let mode = |file: &WantedFile| u32::from_str_radix(&file.mode, 8).unwrap_or(0o600);
    let files: Vec<_> = records
        .iter()
        .filter(ours)
        .map(|file| Wanted::file(&file.path, file.content.as_str(), mode(file)))
        .collect();
    let node = node.or(nodes.first().copied()).unwrap_or("localhost").to_owned();
    match (files.is_empty(), nodes.is_empty()) {
        (false, _) => Ok(Set { node, files }),
        (true, true) => Err(("no file records".to_owned(), "`lb-render --json` prints them".to_owned())),
        (true, false) => Err((format!("no file records for {node}"), format!("there are some for {names}"))),
    }
}

/// What is wrong with a record, if anything is.
fn fault(file: &WantedFile) -> Option<String> {
    let path = Path::new(&file.path);
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Some("not an absolute path without `..`".to_owned());
    }
    match u32::from_str_radix(&file.mode, 8) {
        Ok(mode) if mode <= 0o7777 => {}
        _ => return Some(format!("mode `{}` is not octal, such as 0644", file.mode)),
    }
    let sha256 = files::sha256_hex(file.content.as_bytes());
    (sha256 != file.sha256).then(|| format!("the content has SHA-256 {sha256}, not {}", file.sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(node: Option<&str>, path: &str, content: &str) -> WantedFile {
        WantedFile {
            node: node.map(str::to_owned),
            path: path.to_owned(),
            mode: "0644".to_owned(),
            sha256: files::sha256_hex(content.as_bytes()),
            content: content.to_owned(),
        }
    }

    #[test]
    fn a_record_that_is_as_it_says_has_no_fault() {
        assert_eq!(fault(&file(None, "/etc/f", "x")), None);
    }

    #[test]
    fn a_damaged_content_a_strange_mode_and_a_path_that_wanders_are_faults() {
        let mut damaged = file(None, "/etc/f", "x");
        damaged.content.push('y');
        assert!(fault(&damaged).unwrap().contains("SHA-256"));
        for mode in ["rw", "", "0o644", "17777"] {
            let strange = WantedFile { mode: mode.to_owned(), ..file(None, "/etc/f", "x") };
            assert!(fault(&strange).unwrap().contains("octal"), "{mode}");
        }
        for path in ["etc/f", "", "/etc/../f"] {
            assert!(fault(&file(None, path, "x")).unwrap().contains("absolute"), "{path}");
        }
    }

    #[test]
    fn files_of_two_nodes_need_a_choice() {
        let records = [file(Some("lb1"), "/f", "1"), file(Some("lb2"), "/f", "2"), file(None, "/g", "3")];
        assert!(choose(&records, None).is_err());
        let set = choose(&records, Some("lb2")).unwrap_or_else(|(why, _)| panic!("{why}"));
        assert_eq!((set.node.as_str(), set.files.len()), ("lb2", 2));
        assert!(choose(&records[..2], Some("lb3")).is_err());
    }

    #[test]
    fn an_empty_stream_is_refused() {
        assert!(choose(&[], None).is_err());
        assert!(choose(&[], Some("lb1")).is_err());
    }
}
