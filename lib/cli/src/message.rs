//! Messages on standard error: one line each, or one JSON object each.

use std::io::Write;
use std::sync::OnceLock;
use std::time::SystemTime;

use model::Finding;

/// How this process speaks; set once by [`crate::main`].
#[derive(Debug, Default)]
pub(crate) struct Voice {
    pub(crate) tool: &'static str,
    pub(crate) json: bool,
    pub(crate) verbose: bool,
}

static VOICE: OnceLock<Voice> = OnceLock::new();

pub(crate) fn set(voice: Voice) {
    let _ = VOICE.set(voice);
}

/// Says something on standard error, if asked to say more (`-v`).
pub fn note(message: impl AsRef<str>) {
    if VOICE.get().is_some_and(|voice| voice.verbose) {
        say("info", message.as_ref(), None);
    }
}

/// Says on standard error what belongs to every run, such as closing counts.
pub fn tell(message: impl AsRef<str>) {
    say("info", message.as_ref(), None);
}

/// Says on standard error what the user should know although the work goes on.
pub fn warn(message: impl AsRef<str>) {
    say("warning", message.as_ref(), None);
}

/// The same, with the way out.
pub fn warn_hint(message: impl AsRef<str>, hint: impl AsRef<str>) {
    say("warning", message.as_ref(), Some(hint.as_ref()));
}

/// Says what a finding says, for who would not see its record.
pub fn warn_of(finding: &Finding) {
    let about = finding.current.as_ref().map(|current| format!(" ({current})")).unwrap_or_default();
    let message = format!("{}: {}{about}", finding.check, finding.why);
    say("warning", &message, finding.fix.as_deref());
}

pub(crate) fn error(message: &str, hint: Option<&str>) {
    say("error", message, hint);
}

fn say(level: &str, message: &str, hint: Option<&str>) {
    let silent = Voice::default();
    let voice = VOICE.get().unwrap_or(&silent);
    let mut lines = crate::progress::out_of_the_way().to_owned();
    if voice.json {
        let time = crate::rfc3339(SystemTime::now()).to_string();
        let line = serde_json::json!({"time": time, "level": level, "tool": voice.tool, "message": message, "hint": hint});
        lines.push_str(&format!("{line}\n"));
    } else {
        lines.push_str(&format!("{}: {message}\n", voice.tool));
        if let Some(hint) = hint {
            lines.push_str(&format!("hint: {hint}\n"));
        }
    }
    // Nobody is left to tell if standard error is gone.
    let _ = std::io::stderr().lock().write_all(lines.as_bytes());
}
