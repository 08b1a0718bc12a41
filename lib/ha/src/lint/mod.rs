//! Judges configurations somebody else wrote.
//!
//! What the daemons accept is not what survives a fault: every rule here is a
//! way in which a configuration that starts well fails later. Files of several
//! balancers are also compared with one another.

mod haproxy;
mod keepalived;
mod pair;
mod rule;
mod script;

use std::fmt;

use model::{Fault, Finding, Kind};
use rule::Rule;

/// A file to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, as findings print it.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Why a file cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub file: String,
    /// What is wrong with it; `None` if it is of no kind known here.
    pub error: Option<conf::Error>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{} {error}", self.file),
            None => write!(f, "{}: neither haproxy.cfg, keepalived.conf nor a script", self.file),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Fault for Unreadable {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

/// Judges files together; every finding is a warning or a failure.
///
/// # Errors
/// Gives all files that cannot be read as what they seem to be.
pub fn judge(tool: &str, files: &[File]) -> Result<Vec<Finding>, Vec<Unreadable>> {
    let (mut balancers, mut routers, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    let mut findings = Vec::new();
    for file in files {
        let mut report = Report { tool, file: &file.name, findings: &mut findings };
        let bad = |error| Unreadable { file: file.name.clone(), error };
        match Format::of(file) {
            Some(Format::Script) => script::judge(&file.text, &mut report),
            Some(Format::Haproxy) => match conf::haproxy::Config::parse(&file.text) {
                Ok(config) => balancers.push((file, config)),
                Err(error) => unreadable.push(bad(Some(error))),
            },
            Some(Format::Keepalived) => match conf::keepalived::Config::parse(&file.text) {
                Ok(config) => routers.push((file, config)),
                Err(error) => unreadable.push(bad(Some(error))),
            },
            None => unreadable.push(bad(None)),
        }
    }
    if !unreadable.is_empty() {
        return Err(unreadable);
    }
    let mut own = Vec::new();
    for (file, config) in &routers {
        keepalived::judge(config, &mut Report { tool, file: &file.name, findings: &mut findings });
        own.extend(keepalived::own_addresses(config));
    }
    for (file, config) in &balancers {
        haproxy::judge(config, &own, &mut Report { tool, file: &file.name, findings: &mut findings });
    }
    pair::judge(tool, &routers, &mut findings);
    let order = |finding: &Finding| files.iter().position(|file| Some(&file.name) == finding.file.as_ref());
    findings.sort_by_key(|finding| (order(finding), finding.line));
    Ok(findings)
}

/// What a file is.
enum Format {
    Haproxy,
    Keepalived,
    Script,
}

impl Format {
    /// Told by the content: names lie more often.
    fn of(file: &File) -> Option<Self> {
        if file.text.starts_with("#!/") {
            return Some(Self::Script);
        }
        let opens = |line: &str, words: &[&str]| {
            line.split([' ', '\t', '{']).next().is_some_and(|word| words.contains(&word))
        };
        file.text.lines().map(str::trim_start).find_map(|line| {
            if opens(line, &["global", "defaults", "frontend", "backend", "listen"]) {
                Some(Self::Haproxy)
            } else if opens(
                line,
                &["global_defs", "vrrp_instance", "vrrp_script", "vrrp_sync_group", "track_file"],
            ) {
                Some(Self::Keepalived)
            } else {
                None
            }
        })
    }
}

/// Where findings about one file go.
struct Report<'a> {
    tool: &'a str,
    file: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Report<'_> {
    /// Says that a rule is broken on a line, or by the whole file.
    fn say(&mut self, rule: &Rule, line: Option<u32>, current: impl Into<String>) {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.findings.push(Finding {
            tool: self.tool.into(),
            target: self.file.into(),
            check: rule.check.into(),
            status: rule.status,
            severity: rule.severity,
            file: Some(self.file.into()),
            line,
            current: text(&current.into()),
            want: text(rule.want),
            why: rule.why.into(),
            fix: text(rule.fix),
            reference: text(rule.reference),
        });
    }
}

#[cfg(test)]
mod tests;
