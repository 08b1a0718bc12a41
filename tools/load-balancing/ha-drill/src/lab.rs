//! Where a drill takes place: the nodes, how to run a command there, and the
//! commands of each scenario. From a file, from options, or both.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;

use crate::scenario::{Commands, Scenario};
use crate::words::Words;

/// A lab file; options override what it says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lab {
    /// The words that, put before a command, run it on the node.
    #[serde(default)]
    pub(crate) nodes: BTreeMap<String, Vec<String>>,
    /// What prints a node's addresses as `ip -json address` does.
    #[serde(default = "ip_address")]
    pub(crate) address: Vec<String>,
    /// What must succeed before and after each run.
    #[serde(default)]
    pub(crate) ready: Option<Vec<String>>,
    /// The commands of scenarios that differ from those by systemd.
    #[serde(default)]
    pub(crate) scenarios: BTreeMap<Scenario, Commands>,
}

pub(crate) fn ip_address() -> Vec<String> {
    ["{via}", "ip", "-json", "address"].map(str::to_owned).to_vec()
}

/// `NODE=PREFIX`, the value of `--via`.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    pub(crate) node: String,
    pub(crate) prefix: Vec<String>,
}

impl FromStr for Via {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (node, prefix) = text.split_once('=').ok_or("is not NODE=PREFIX, such as lb1='ssh lb1'")?;
        let prefix = prefix.parse::<Words>()?.0;
        Ok(Self { node: node.to_owned(), prefix })
    }
}

impl Lab {
    /// Every name that could be taken for something else in a command, and
    /// every command that would do nothing without anybody having said so.
    pub(crate) fn faults(&self) -> Vec<String> {
        let plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let bad = self.nodes.keys().filter(|name| !plain(name));
        let bad = bad.map(|name| format!("node `{name}`: a name has letters, digits, `.`, `_` and `-` only"));
        let commands = self.scenarios.iter().flat_map(|(scenario, commands)| {
            let Commands { prepare, inject, heal } = commands;
            let nothing = inject.is_none() && *scenario != Scenario::None;
            let empty = [prepare, inject, heal].into_iter().flatten().any(Vec::is_empty);
            let missing = nothing.then(|| format!("{}: no `inject`", scenario.name()));
            missing.into_iter().chain(empty.then(|| format!("{}: a command has no words", scenario.name())))
        });
        let empty = |words: &&Vec<String>| words.is_empty();
        let other = [Some(&self.address), self.ready.as_ref()].into_iter().flatten().filter(empty);
        let other = other.map(|_| "`address` or `ready` has no words".to_owned());
        bad.chain(commands).chain(other).collect()
    }

    /// The words of a command: the word `{via}` becomes the node's prefix,
    /// `{node}` within a word its name.
    pub(crate) fn fill(&self, command: &[String], node: Option<&str>) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for word in command {
            if !word.contains("{node}") && word != "{via}" {
                words.push(word.clone());
                continue;
            }
            let name =
                node.ok_or_else(|| format!("`{word}` of a command stands for a node, and there is none"))?;
            if word == "{via}" {
                let prefix = self.nodes.get(name).ok_or_else(|| format!("no --via for the node `{name}`"))?;
                words.extend_from_slice(prefix);
            } else {
                words.push(word.replace("{node}", name));
            }
        }
        Ok(words)
    }
}

/// Whether a command is about a node.
pub(crate) fn names_a_node(commands: &Commands) -> bool {
    let all = [&commands.prepare, &commands.inject, &commands.heal];
    all.into_iter().flatten().flatten().any(|word| word.contains("{node}") || word == "{via}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> Lab {
        serde_json::from_str(r#"{"nodes": {"lb1": ["ssh", "-q", "lb1"], "lb2": []}}"#).unwrap()
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn via_becomes_the_prefix_and_node_the_name() {
        let command = words("{via} kill p-{node} {x}");
        assert_eq!(lab().fill(&command, Some("lb1")).unwrap(), words("ssh -q lb1 kill p-lb1 {x}"));
        assert_eq!(lab().fill(&command, Some("lb2")).unwrap(), words("kill p-lb2 {x}"));
    }

    #[test]
    fn a_command_for_a_node_needs_one_that_is_known() {
        assert!(lab().fill(&words("{via} kill"), None).is_err());
        assert!(lab().fill(&words("{via} kill"), Some("lb3")).is_err());
        assert!(lab().fill(&words("kill"), None).is_ok());
    }

    #[test]
    fn a_node_named_like_an_option_or_a_path_is_refused() {
        let mut lab = lab();
        for name in ["-f", "a/b", "a b", ""] {
            lab.nodes.insert(name.into(), vec![]);
        }
        assert_eq!(lab.faults().len(), 4);
    }
}
