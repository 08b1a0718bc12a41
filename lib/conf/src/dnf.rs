//! dnf's repositories: sections with keys, edited in place.
//!
//! ```
//! let mut repos = conf::dnf::Repos::new("[a]\nbaseurl = https://a/v1/\n# end\n");
//! repos.set(0, "baseurl", "https://a/v2/");
//! repos.set(0, "gpgcheck", "1");
//! assert_eq!(repos.as_str(), "[a]\nbaseurl = https://a/v2/\ngpgcheck=1\n# end\n");
//! ```

use std::ops::Range;

/// A `.repo` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repos {
    text: String,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// The line of its header, from 1.
    pub line: u32,
    /// Its id, in brackets.
    pub id: String,
    keys: Vec<Pair>,
    /// Where a first key would go.
    end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    key: String,
    value: String,
    line: u32,
    /// Where its value is.
    place: Range<usize>,
}

impl Repo {
    /// The value of a key; of several the last.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pair(key).map(|pair| pair.value.as_str())
    }

    /// The line of a key.
    pub fn line_of(&self, key: &str) -> Option<u32> {
        self.pair(key).map(|pair| pair.line)
    }

    /// Whether dnf looks at it, which it does unless told not to.
    pub fn is_enabled(&self) -> bool {
        let value = self.get("enabled").unwrap_or("1");
        !["0", "no", "false", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
    }

    fn pair(&self, key: &str) -> Option<&Pair> {
        self.keys.iter().rfind(|pair| pair.key == key)
    }
}

impl Repos {
    /// Takes a file as it is; what is no section and no key is passed over.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its repositories, in order; edits do not change their places.
    pub fn repos(&self) -> Vec<Repo> {
        let mut repos: Vec<Repo> = Vec::new();
        let mut at = 0;
        for (line, text) in (1..).zip(self.text.split_inclusive('\n')) {
            let start = at;
            at += text.len();
            let text = text.trim_end();
            let end = start + text.len();
            if text.is_empty() || text.starts_with(['#', ';']) {
                continue;
            }
            if let Some(id) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
                repos.push(Repo { line, id: id.0.trim().to_owned(), keys: Vec::new(), end });
                continue;
            }
            let Some(repo) = repos.last_mut() else { continue };
            if text.starts_with([' ', '\t']) {
                match repo.keys.last_mut() {
                    Some(pair) => {
                        pair.value = format!("{}\n{}", pair.value, text.trim());
                        pair.place.end = end;
                    }
                    // What continues nothing must not continue a key put before it.
                    None => repo.end = end,
                }
            } else if let Some((key, value)) = text.split_once('=') {
                let blanks = value.len() - value.trim_start().len();
                let place = end - value.len() + blanks..end;
                repo.keys.push(Pair {
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    line,
                    place,
                });
            }
        }
        repos
    }

    /// Gives a key of a repository, counted from 0, a value.
    pub fn set(&mut self, repo: usize, key: &str, value: &str) {
        let repos = self.repos();
        let Some(repo) = repos.get(repo) else { return };
        if let Some(pair) = repo.pair(key) {
            self.text.replace_range(pair.place.clone(), value);
        } else {
            let after = repo.keys.iter().map(|pair| pair.place.end).max().unwrap_or(repo.end);
            let end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
            self.text.insert_str(after, &format!("{end}{key}={value}"));
        }
    }

    /// Adds a repository at the end.
    pub fn push(&mut self, section: &str) {
        if !self.text.is_empty() {
            self.text.push_str(if self.text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        self.text.push_str(section);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_and_keys_are_read_as_dnf_reads_them() {
        let text = "; c\nx=1\n[a] \nname = A b\nbaseurl=https://a/\n  https://b/\n# no=1\nenabled=False\nenabled=1\n[b]\nenabled = 0\n";
        let repos = Repos::new(text).repos();
        assert_eq!((repos[0].id.as_str(), repos[0].line, repos[0].get("name")), ("a", 3, Some("A b")));
        assert_eq!(repos[0].get("baseurl"), Some("https://a/\nhttps://b/"));
        assert!(repos[0].is_enabled() && !repos[1].is_enabled());
        assert_eq!((repos[0].get("no"), repos[0].line_of("enabled")), (None, Some(9)));
    }

    #[test]
    fn a_key_is_edited_in_place() {
        let mut repos = Repos::new("[a]\r\nbaseurl = x\r\n  y\r\n\r\n[b]");
        repos.set(0, "baseurl", "z");
        repos.set(0, "enabled", "0");
        repos.set(1, "enabled", "1");
        repos.push("[c]\n");
        assert_eq!(repos.as_str(), "[a]\r\nbaseurl = z\r\nenabled=0\r\n\r\n[b]\r\nenabled=1\n\n[c]\n");
    }

    proptest! {
        #[test]
        fn what_is_set_is_so_and_the_rest_stays(
            text in "((\\[[a-c]\\]|[a-c] ?= ?[x-z]{0,2}|#|;|  more|)(\r\n|\n)){0,10}", key in "[a-d]", value in "[a-z]{0,3}",
        ) {
            let mut repos = Repos::new(text);
            let before = repos.repos();
            if before.is_empty() {
                return Ok(());
            }
            repos.set(0, &key, &value);
            let after = repos.repos();
            prop_assert_eq!(after[0].get(&key), Some(value.as_str()));
            prop_assert_eq!(after.len(), before.len());
            for (before, after) in before.iter().zip(&after) {
                for pair in before.keys.iter().filter(|pair| pair.key != key) {
                    prop_assert_eq!(after.get(&pair.key), before.get(&pair.key));
                }
            }
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,200}") {
            let mut repos = Repos::new(text.clone());
            prop_assert_eq!(repos.as_str(), text);
            for at in 0..repos.repos().len() {
                repos.set(at, "enabled", "0");
            }
            prop_assert!(repos.repos().iter().all(|repo| !repo.is_enabled()));
        }
    }
}
