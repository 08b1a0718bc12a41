//! Paths of another tree: `--root DIR`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::{At, Error, Result};

/// The place of `path` in the tree `root`, following the tree's symbolic
/// links as they would be followed from inside it (as `chroot` would).
///
/// The file itself need not exist, nor its directories.
///
/// # Errors
/// [`Error::Escapes`] after forty links (a loop); otherwise what the system said.
pub fn within(root: &Path, path: &Path) -> Result<PathBuf> {
    let mut inside = PathBuf::new();
    let mut ahead: Vec<PathBuf> = parts(path);
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part.as_os_str() == ".." {
            inside.pop();
            continue;
        }
        let here = root.join(&inside).join(&part);
        match fs::symlink_metadata(&here) {
            Ok(found) if found.is_symlink() => {
                links += 1;
                if links > 40 {
                    return Err(Error::Escapes { path: path.to_owned(), root: root.to_owned() });
                }
                let target = fs::read_link(&here).at(&here)?;
                if target.is_absolute() {
                    inside = PathBuf::new();
                }
                ahead.extend(parts(&target));
            }
            Ok(_) => inside.push(part),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => inside.push(part),
            Err(error) => return Err(error).at(&here),
        }
    }
    Ok(root.join(inside))
}

/// The same, but a link at the very end is not followed: the place of the link itself.
///
/// # Errors
/// As [`within`]; [`Error::Escapes`] if the path names no file.
pub fn within_unfollowed(root: &Path, path: &Path) -> Result<PathBuf> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::Escapes { path: path.to_owned(), root: root.to_owned() });
    };
    Ok(within(root, parent)?.join(name))
}

/// The names of a path, the last one first; `.` and `/` left out.
fn parts(path: &Path) -> Vec<PathBuf> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    });
    names.collect::<Vec<_>>().into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn an_absolute_link_of_the_tree_stays_in_the_tree() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/etc")).unwrap();
        symlink("/usr/etc", root.path().join("etc")).unwrap();
        assert_eq!(within(root.path(), Path::new("/etc/hosts")).unwrap(), root.path().join("usr/etc/hosts"));
    }

    #[test]
    fn dots_do_not_lead_out() {
        let root = tempfile::tempdir().unwrap();
        symlink("../../../..", root.path().join("up")).unwrap();
        assert_eq!(within(root.path(), Path::new("up/../../etc")).unwrap(), root.path().join("etc"));
    }

    #[test]
    fn a_link_at_the_end_has_a_place_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/etc")).unwrap();
        symlink("/usr/etc", root.path().join("etc")).unwrap();
        symlink("/dev/null", root.path().join("usr/etc/x")).unwrap();
        assert_eq!(
            within_unfollowed(root.path(), Path::new("/etc/x")).unwrap(),
            root.path().join("usr/etc/x")
        );
    }

    #[test]
    fn a_loop_of_links_is_refused() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert!(matches!(within(root.path(), Path::new("a")), Err(Error::Escapes { .. })));
    }
}
