//! Judges the shell script a keepalived starts to learn whether haproxy works.

use model::Severity::{High, Low, Medium};

use super::Report;
use super::rule::{Rule, fail, warn};

const STATUS: Rule = fail(
    "script-status",
    High,
    [
        "curl --fail",
        "curl is content with any answer: 500 from a dying API server, or 404 from anything else on the port",
        "add `--fail`, or use ha-vipcheck",
        "curl(1), --fail",
    ],
);
const INSECURE: Rule = warn(
    "script-insecure",
    Medium,
    [
        "curl --cacert CA",
        "any process on the port passes, whatever certificate it shows",
        "name the cluster's CA with `--cacert`, or use ha-vipcheck",
        "curl(1), --insecure",
    ],
);
const DEADLINE: Rule = fail(
    "script-deadline",
    High,
    [
        "curl --max-time, shorter than the interval",
        "a hung haproxy hangs the check too: no verdict, no failover",
        "add `--max-time 1`, or use ha-vipcheck",
        "acassen/keepalived#774",
    ],
);
const GREP: Rule = fail(
    "script-grep",
    High,
    [
        "an exact comparison",
        "grep finds the address within longer ones, and its dots match anything: 10.0.0.1 is found in 10.0.0.11",
        "use `grep -qwF`, or ha-vipcheck --vip",
        "",
    ],
);
const PATH: Rule = warn(
    "script-path",
    Low,
    [
        "/readyz",
        "the root path needs a login and says nothing about the API server's state",
        "ask /readyz",
        "kubernetes/kubernetes#88911",
    ],
);
const PROCESS: Rule = warn(
    "script-process",
    Medium,
    [
        "a question to haproxy",
        "a process that exists need not answer: a hung haproxy passes",
        "use ha-vipcheck --haproxy-socket",
        "OpenConext/OpenConext-deploy#410",
    ],
);

pub(super) fn judge(text: &str, report: &mut Report) {
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.starts_with('#') {
            continue;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        // `-s`, `--silent` and clusters such as `-fsS`.
        let has = |long: &str, short: char| {
            words.iter().any(|word| {
                word.split('=').next() == Some(long)
                    || word
                        .strip_prefix('-')
                        .is_some_and(|cluster| !cluster.starts_with('-') && cluster.contains(short))
            })
        };
        let runs = |name: &str| words.iter().any(|word| word.rsplit('/').next() == Some(name));
        let mut say = |rule: &Rule| report.say(rule, Some(number), line);
        if runs("curl") {
            if !has("--fail", 'f') && !has("--fail-with-body", 'f') {
                say(&STATUS);
            }
            if has("--insecure", 'k') {
                say(&INSECURE);
            }
            if !has("--max-time", 'm') {
                say(&DEADLINE);
            }
            if words.iter().any(|word| word.contains("://") && word.split("://").nth(1).is_some_and(is_root))
            {
                say(&PATH);
            }
        }
        let addresses = (runs("ip") || runs("ifconfig")) && runs("grep");
        if addresses && !(has("--word-regexp", 'w') && has("--fixed-strings", 'F')) {
            say(&GREP);
        }
        if runs("pidof") || runs("killall") || runs("pgrep") {
            say(&PROCESS);
        }
    }
}

/// Whether what follows `://` names no path.
fn is_root(rest: &str) -> bool {
    let path = rest.trim_end_matches(['"', '\'', ';']).split_once('/');
    path.is_none_or(|(_, path)| path.is_empty())
}
