//! Commands run at events.

use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use model::{VrrpEvent, VrrpState};
use process::{End, Limits};

/// A command and the state it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// `None` is every state.
    on: Option<VrrpState>,
    words: Vec<String>,
}

impl FromStr for Hook {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not STATE=COMMAND, such as MASTER=/etc/keepalived/master");
        let (state, command) = text.split_once('=').ok_or_else(wrong)?;
        let on = match state {
            "ANY" => None,
            state => {
                Some(keepalived::state(state).ok_or_else(|| format!("`{state}` is no state of keepalived"))?)
            }
        };
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() { Err(wrong()) } else { Ok(Self { on, words }) }
    }
}

impl Hook {
    /// Whether it is for this event.
    pub(crate) fn is_for(&self, event: &VrrpEvent) -> bool {
        self.on.is_none_or(|on| on == event.to)
    }

    /// Runs it; says why if it failed.
    pub(crate) fn run(&self, event: &VrrpEvent, timeout: Duration) -> Result<(), String> {
        let [program, arguments @ ..] = &self.words[..] else { return Ok(()) };
        let done = process::run(
            Command::new(program).args(arguments).envs(environment(event)),
            &Limits { output_bytes: 4096, ..Limits::within(timeout) },
        );
        let done = done.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.lines().next().map(|line| format!(": {line}")).unwrap_or_default();
        match done.end {
            End::Code(0) => Ok(()),
            End::Code(code) => Err(format!("{program}: status {code}{said}")),
            End::Signal(signal) => Err(format!("{program}: ended by signal {signal}{said}")),
            End::TimedOut => Err(format!("{program}: still running after {} ms{said}", timeout.as_millis())),
        }
    }
}

fn environment(event: &VrrpEvent) -> [(&'static str, String); 7] {
    let scope = serde_json::to_value(event.scope).ok();
    [
        ("VRRP_SCOPE", scope.and_then(|scope| scope.as_str().map(str::to_owned)).unwrap_or_default()),
        ("VRRP_NAME", event.name.clone()),
        ("VRRP_STATE", keepalived::word(event.to).to_owned()),
        ("VRRP_FROM", event.from.map(keepalived::word).unwrap_or_default().to_owned()),
        ("VRRP_PRIORITY", event.priority.map(|priority| priority.to_string()).unwrap_or_default()),
        ("VRRP_FLAP", u8::from(event.flap).to_string()),
        ("VRRP_TIME", event.time.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_at_blanks_and_nothing_else() {
        let hook: Hook = "MASTER=/bin/x  -a 'b c'\t$(d)".parse().unwrap();
        assert_eq!(hook.on, Some(VrrpState::Master));
        assert_eq!(hook.words, ["/bin/x", "-a", "'b", "c'", "$(d)"]);
    }

    #[test]
    fn what_is_no_hook_is_refused() {
        for text in ["", "MASTER", "MASTER=", "MASTER= ", "master=/bin/x", "=/bin/x"] {
            assert!(text.parse::<Hook>().is_err(), "{text}");
        }
    }
}
