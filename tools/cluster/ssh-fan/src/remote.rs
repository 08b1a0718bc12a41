//! What is said to the far shell.

use model::HostEntry;

/// One word, so that any POSIX shell reads it back as it is.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A word with the host's own values in the place of `{name}` and its like.
///
/// # Errors
/// Says which value the host lacks, or what is no placeholder.
pub(crate) fn filled(word: &str, host: &HostEntry) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = word;
    while let Some((before, from)) = rest.split_once('{') {
        text.push_str(before);
        if let Some(after) = from.strip_prefix('{') {
            text.push('{');
            rest = after;
            continue;
        }
        let (name, after) = from.split_once('}').unwrap_or_default();
        match value(name, host) {
            Value::Known(value) => {
                text.push_str(&value);
                rest = after;
            }
            Value::Missing => return Err(format!("{} has no {name}", host.name)),
            // JSON, awk, shell: braces are nobody's property.
            Value::NoSuch => {
                text.push('{');
                rest = from;
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// What a placeholder stands for.
enum Value {
    Known(String),
    Missing,
    NoSuch,
}

fn value(name: &str, host: &HostEntry) -> Value {
    let known = match name {
        "name" => Some(host.name.clone()),
        "cluster" => Some(host.cluster.clone()),
        "ip" => host.ip.map(|ip| ip.to_string()),
        "ip6" => host.ip6.map(|ip| ip.to_string()),
        "interface" => host.interface.clone(),
        "roles" => Some(host.roles.join(",")),
        "os" => host.os.clone(),
        "kubernetes" => Some(host.kubernetes.clone()),
        _ => return Value::NoSuch,
    };
    known.map_or(Value::Missing, Value::Known)
}

/// The line for the far side's login shell, whatever that is.
///
/// `exit $?` keeps a shell in between: what a signal ends comes back as
/// 128 + N, not as ssh's own 255. timeout(1), where it exists, ends what
/// would go on after ssh has given up.
pub(crate) fn line(command: &str, become_root: bool, limit_s: u64) -> String {
    let sudo = if become_root { "sudo -n " } else { "" };
    let shell = format!("{sudo}sh -c {}", quoted(&format!("{command}\nexit $?")));
    let guard = format!(
        "if command -v timeout >/dev/null 2>&1; then timeout -k 5 {limit_s} {shell}; else {shell}; fi"
    );
    format!("exec sh -c {}", quoted(&format!("{guard}\nexit $?")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn host() -> HostEntry {
        serde_json::from_str(
            r#"{"record":"host","cluster":"lab","name":"cp1","roles":["control-plane","etcd"],"ip":"10.77.0.21","ip6":null,"interface":null,"priority":null,"bmc":null,"labels":{},"os":null,"kubernetes":"1.36.3","ssh":{"user":null,"port":22,"key":null}}"#,
        )
        .unwrap()
    }

    fn said(line: &str) -> (String, Option<i32>) {
        let done = Command::new("sh").args(["-c", line]).output().unwrap();
        (String::from_utf8(done.stdout).unwrap(), done.status.code())
    }

    #[test]
    fn whatever_a_word_holds_the_far_shell_reads_it_back() {
        for word in
            ["", "a b", "it's", "$(reboot)", "`x`", "a\nb", "\\", "'; rm -rf /; '", "*", "~", "-n", "é"]
        {
            let (printed, _) = said(&line(&format!("printf %s {}", quoted(word)), false, 60));
            assert_eq!(printed, word);
        }
    }

    #[test]
    fn a_status_comes_back_and_a_signal_as_the_shell_counts() {
        assert_eq!(said(&line("exit 255", false, 60)).1, Some(255));
        assert_eq!(said(&line("kill -9 $$", false, 60)).1, Some(137));
        assert_eq!(said(&line("sh -c 'kill -TERM $$'", false, 60)).1, Some(143));
        assert_eq!(said(&line("false # comment", false, 60)).1, Some(1));
    }

    #[test]
    fn a_hosts_values_stand_for_their_names_and_other_braces_stay() {
        assert_eq!(filled("--host={name}/{ip}", &host()).unwrap(), "--host=cp1/10.77.0.21");
        assert_eq!(filled("{\"a\":1} {{name} {", &host()).unwrap(), "{\"a\":1} {name} {");
        assert_eq!(filled("{ip6}", &host()).unwrap_err(), "cp1 has no ip6");
    }
}
