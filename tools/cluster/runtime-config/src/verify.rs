//! What containerd itself makes of a configuration.

use std::process::Command;
use std::time::Duration;

use cli::{Context, Error};
use model::Status;
use platform::Host;
use process::Limits;

use crate::judge::{self, Judgement, Want};
use crate::release;

/// Runs `containerd config dump` on the wanted text and judges what it prints;
/// the outcome is one more finding. Says whether containerd agrees.
pub(crate) fn verify(judgement: &mut Judgement, live: bool, host: &Host, want: &Want) -> cli::Result<bool> {
    let here = release::running()?.ok_or_else(|| {
        Error::invalid("verifying", "no containerd here").hint("install it, or leave --verify out")
    })?;
    if here != want.release {
        let why = format!("containerd here is {here}, and the configuration is for {}", want.release);
        return Err(Error::invalid("verifying", why));
    }
    if !live && judgement.text.strings(&["imports"]).is_some_and(|imports| !imports.is_empty()) {
        return Err(Error::invalid(
            "verifying",
            "the imported files of a tree are not where containerd looks",
        ));
    }
    let folder = tempfile::tempdir().unavailable("verifying")?;
    let file = folder.path().join("config.toml");
    std::fs::write(&file, judgement.text.as_str()).unavailable("verifying")?;
    let mut command = Command::new("containerd");
    command.arg("-c").arg(&file).args(["config", "dump"]);
    let limits = Limits::within(Duration::from_secs(20));
    let done = process::run(&mut command, &limits).doing("verifying")?;
    let report = &mut judgement.report;
    if !done.end.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.lines().last().unwrap_or_default().trim_start_matches("containerd: ").to_owned();
        report.fails("verified", "containerd refuses it").file(judge::FILE).current(said);
        return Ok(false);
    }
    let dump = String::from_utf8_lossy(&done.stdout);
    let seen = judge::judge(Some(&dump), host, want).report;
    let wrong: Vec<_> = seen
        .findings
        .iter()
        .map(|judged| &judged.finding)
        .filter(|finding| finding.status == Status::Fail && finding.check != "release")
        .map(|finding| {
            let now = finding.current.as_deref().unwrap_or("missing");
            format!("{} is {now}", finding.check)
        })
        .collect();
    if wrong.is_empty() {
        report.pass("verified", "containerd reads it as it is meant").file(judge::FILE);
    } else {
        report.fails("verified", "containerd reads it otherwise").file(judge::FILE).current(wrong.join(", "));
    }
    Ok(wrong.is_empty())
}
