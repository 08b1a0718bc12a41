//! Files brought to every host: compared first, then sent where they differ.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cli::{Context, Error};
use model::{HostEntry, SshError, SshResult};

use crate::fan::Errand;
use crate::session::Task;

/// All files together; they are held in memory.
const LIMIT_BYTES: u64 = 1 << 30;

/// Reads paths, prints `SHA256 MODE` of each, or `-`.
const COMPARE: &str = r#"while IFS= read -r path; do
  if [ -f "$path" ]; then sum=$(sha256sum <"$path") && echo "${sum%% *} $(stat -c %a -- "$path")" || echo -
  else echo -; fi
done"#;

/// Reads `SIZE SHA256 MODE PATH` lines, each followed by so many bytes, and
/// puts each file in its place in one move.
const RECEIVE: &str = r#"umask 077
while IFS= read -r line; do
  size=${line%% *}; line=${line#* }; sum=${line%% *}; line=${line#* }; mode=${line%% *}; path=${line#* }
  part=$path.$$.part
  trap 'rm -f -- "$part"' EXIT
  (umask 022 && mkdir -p -- "$(dirname -- "$path")") || exit 1
  [ ! -d "$path" ] || { echo "$path is a directory" >&2; exit 1; }
  head -c "$size" >"$part" || exit 1
  got=$(sha256sum <"$part") || exit 1
  [ "${got%% *}" = "$sum" ] || { echo "$path: it did not arrive whole" >&2; exit 1; }
  chmod "$mode" -- "$part" && sync -- "$part" && mv -f -- "$part" "$path" || exit 1
  trap - EXIT
done"#;

/// One file and where it goes.
#[derive(Debug)]
struct Item {
    path: String,
    mode: u32,
    sha256: String,
    content: Vec<u8>,
}

/// The errand.
#[derive(Debug)]
pub(crate) struct Copy {
    items: Vec<Item>,
    paths: Arc<Vec<u8>>,
    /// What is sent, by which files it holds: most hosts lack the same.
    parcels: HashMap<Vec<usize>, Arc<Vec<u8>>>,
    /// The hosts that are receiving.
    receiving: Vec<String>,
}

impl Copy {
    /// Reads what shall be sent.
    pub(crate) fn read(sources: &[PathBuf], target: &str) -> cli::Result<Self> {
        let into = target.ends_with('/') || sources.len() > 1;
        let mut files = Vec::new();
        for source in sources {
            let name = source.file_name().map(|name| name.to_string_lossy().into_owned());
            let name =
                name.ok_or_else(|| Error::invalid("copying", format!("{} has no name", source.display())))?;
            let path =
                if into { format!("{}/{name}", target.trim_end_matches('/')) } else { target.to_owned() };
            walk(source, path, &mut files)?;
        }
        let mut bytes = 0;
        let mut items = Vec::new();
        for (source, path) in files {
            let doing = format!("reading {}", source.display());
            if path.contains('\n') {
                return Err(Error::invalid(doing, "its name has a line break"));
            }
            let mode = fs::metadata(&source).doing(&doing)?.permissions().mode() & 0o7777;
            let content = files::read(&source, LIMIT_BYTES - bytes).doing(&doing)?;
            bytes += content.len() as u64;
            items.push(Item { sha256: files::sha256_hex(&content), path, mode, content });
        }
        let paths = items.iter().map(|item| format!("{}\n", item.path)).collect::<String>();
        Ok(Self { items, paths: Arc::new(paths.into()), parcels: HashMap::new(), receiving: Vec::new() })
    }

    /// The files a host lacks, by what it said of each.
    fn lacking(&self, said: &str) -> Option<Vec<usize>> {
        let lines: Vec<_> = said.lines().collect();
        let complete = lines.len() == self.items.len();
        let differs = |item: &Item, line: &str| line != format!("{} {:o}", item.sha256, item.mode);
        complete.then(|| {
            let all = self.items.iter().zip(lines).enumerate();
            all.filter(|(_, (item, line))| differs(item, line)).map(|(number, _)| number).collect()
        })
    }

    fn parcel(&mut self, numbers: Vec<usize>) -> Arc<Vec<u8>> {
        let items = &self.items;
        let parcel = self.parcels.entry(numbers).or_insert_with_key(|numbers| {
            let mut parcel = Vec::new();
            for item in numbers.iter().map(|number| &items[*number]) {
                let head = format!("{} {} {:o} {}\n", item.content.len(), item.sha256, item.mode, item.path);
                parcel.extend(head.into_bytes());
                parcel.extend(&item.content);
            }
            Arc::new(parcel)
        });
        Arc::clone(parcel)
    }
}

impl Errand for Copy {
    fn first(&mut self, _host: &HostEntry) -> Task {
        Task { command: COMPARE.to_owned(), input: Arc::clone(&self.paths) }
    }

    fn next(&mut self, host: &HostEntry, result: &mut SshResult) -> Option<Task> {
        let sent = self.receiving.iter().position(|name| *name == host.name);
        if let Some(at) = sent {
            self.receiving.swap_remove(at);
            result.changed = result.error.is_none().then_some(true);
            return None;
        }
        if result.error.is_some() {
            return None;
        }
        let Some(lacking) = self.lacking(result.stdout.as_deref().unwrap_or_default()) else {
            result.error = Some(SshError::HostFailed);
            result.reason = Some("it did not say which files it has".into());
            return None;
        };
        result.stdout = Some(String::new());
        if lacking.is_empty() {
            result.changed = Some(false);
            return None;
        }
        self.receiving.push(host.name.clone());
        Some(Task { command: RECEIVE.to_owned(), input: self.parcel(lacking) })
    }
}

/// Every file of a file or directory, with the path it gets there.
fn walk(source: &Path, path: String, files: &mut Vec<(PathBuf, String)>) -> cli::Result<()> {
    let doing = format!("reading {}", source.display());
    let kind = fs::metadata(source).doing(&doing)?;
    if kind.is_file() {
        files.push((source.to_owned(), path));
        return Ok(());
    }
    if !kind.is_dir() {
        return Err(Error::invalid(doing, "neither a file nor a directory"));
    }
    let entries = fs::read_dir(source).and_then(Iterator::collect::<Result<Vec<_>, _>>).doing(&doing)?;
    let mut entries: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        walk(&entry, format!("{path}/{name}"), files)?;
    }
    Ok(())
}
