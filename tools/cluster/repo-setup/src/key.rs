//! Whether the key of a repository is the right one, and still good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use change::Report;
use openpgp::{Form, Key, Keyring};

use crate::repository::Repository;

/// A key that expires sooner is told beforehand.
const SOON: u64 = 30 * 24 * 60 * 60;

/// What keys are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// Fingerprints one of which the key must have; empty for any.
    pub(crate) pins: Vec<String>,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl Trust {
    pub(crate) fn new(pins: Vec<String>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { pins, now }
    }

    fn names(&self, key: &Key) -> bool {
        self.pins.iter().any(|pin| key.is(pin))
    }
}

/// Judges a key file; none if it is no good, and the report says why.
pub(crate) fn judge(
    bytes: &[u8],
    file: &str,
    repository: Repository,
    trust: &Trust,
    report: &mut Report,
) -> Option<Keyring> {
    let keyring = match openpgp::parse(bytes) {
        Ok(keyring) => keyring,
        Err(error) => {
            report
                .fails("key", format!("nobody can check {}'s packages with it: {error}", repository.title()))
                .file(file);
            return None;
        }
    };
    let all = || keyring.keys.iter();
    let pinned: Vec<&Key> = all().filter(|key| trust.names(key)).collect();
    if !trust.pins.is_empty() && pinned.is_empty() {
        let finding = report.fails("key-fingerprint", "it is another key than the one it has to be");
        finding.file(file).current(prints(all())).want(trust.pins.join(", "));
        return None;
    }
    if !pinned.is_empty() || all().any(|key| key.is(repository.known_key())) {
        report.pass("key-fingerprint", "it is the key it has to be").file(file).current(prints(all()));
    } else {
        report
            .warns("key-fingerprint", "it is not upstream's, and nobody said which it has to be")
            .file(file)
            .current(prints(all()))
            .fix("compare it, then pin it with --fingerprint");
    }
    let keys: Vec<&Key> = if pinned.is_empty() { all().collect() } else { pinned };
    good(&keys, file, trust, report).then_some(keyring)
}

/// Whether one of the keys is good now.
fn good(keys: &[&Key], file: &str, trust: &Trust, report: &mut Report) -> bool {
    const ISSUE: &str = "kubernetes/release#3818";
    let live: Vec<&&Key> = keys.iter().filter(|key| !key.revoked && !key.is_expired(trust.now)).collect();
    if let Some(lasts) = live.iter().map(|key| key.expires.unwrap_or(u64::MAX)).max() {
        let until = if lasts == u64::MAX { "never".to_owned() } else { date(lasts) };
        if lasts.saturating_sub(trust.now) < SOON {
            let finding = report.warns("key-expired", format!("it expires on {until}"));
            finding.file(file).current(until).fix("fetch the renewed key").reference(ISSUE);
        } else {
            report.pass("key-expired", "it is good").file(file).current(until);
        }
        return true;
    }
    for key in keys {
        let why = match key.expires.filter(|_| !key.revoked) {
            Some(expired) => format!("it expired on {}: every update fails", date(expired)),
            None => "its owner took it back".to_owned(),
        };
        let check = if key.revoked { "key-revoked" } else { "key-expired" };
        let finding = report.fails(check, why).file(file).current(key.fingerprint.clone());
        finding.fix("fetch the renewed key, and give it with --key").reference(ISSUE);
    }
    false
}

/// Whether the name of an apt keyring goes with its content: apt goes by the name alone.
pub(crate) fn fits(path: &str, keyring: &Keyring) -> bool {
    match ending(path) {
        // apt before 3.0 reads the first block alone.
        Some("asc") => keyring.form == Form::Armoured && keyring.blocks == 1,
        Some("gpg") => keyring.form == Form::Binary,
        _ => true,
    }
}

/// The content a keyring of this name has to have.
pub(crate) fn content(path: &str, keyring: &Keyring, given: &[u8]) -> Vec<u8> {
    if fits(path, keyring) {
        given.to_vec()
    } else if ending(path) == Some("gpg") {
        keyring.bytes.clone()
    } else {
        keyring.armoured().into_bytes()
    }
}

fn ending(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, ending)| ending)
}

fn prints<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let told = keys.map(|key| format!("{} {}", key.fingerprint, key.user_ids.join(", ")).trim().to_owned());
    told.collect::<Vec<_>>().join("; ")
}

fn date(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    cli::rfc3339(time).to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Status;

    const KEY: &[u8] = include_bytes!("../../../../tests/fixtures/examples/kubernetes.asc");
    const PRINT: &str = "19CC CE94 6BF8 0AC4 B92E  6829 CC05 DB1D 756D 2BCE";

    fn judged(bytes: &[u8], pins: &[&str]) -> (bool, Vec<(String, Status)>) {
        let trust = Trust { pins: pins.iter().map(|pin| (*pin).to_owned()).collect(), now: 1_790_000_000 };
        let mut report = Report::new("t", "h");
        let keyring = judge(bytes, "f", Repository::Kubernetes, &trust, &mut report);
        let found = report.findings.into_iter().map(|judged| (judged.finding.check, judged.finding.status));
        (keyring.is_some(), found.collect())
    }

    #[test]
    fn a_pinned_key_passes_and_any_other_fails() {
        assert_eq!(judged(KEY, &[PRINT]).1[0], ("key-fingerprint".into(), Status::Pass));
        assert_eq!(judged(KEY, &["ABCD"]), (false, vec![("key-fingerprint".into(), Status::Fail)]));
        assert_eq!(judged(KEY, &[]).1[0], ("key-fingerprint".into(), Status::Warn));
        assert_eq!(judged(b"<html>", &[]), (false, vec![("key".into(), Status::Fail)]));
    }

    #[test]
    fn a_key_is_judged_by_the_clock() {
        let trust = |now| Trust { pins: Vec::new(), now };
        let key = |expires, revoked| Key { expires, revoked, ..openpgp::parse(KEY).unwrap().keys.remove(0) };
        let status = |key: &Key, now| {
            let mut report = Report::new("t", "h");
            let good = good(&[key], "f", &trust(now), &mut report);
            (good, report.findings[0].finding.status)
        };
        let expiring = key(Some(100 + SOON), false);
        assert_eq!(status(&expiring, 99), (true, Status::Pass));
        assert_eq!(status(&expiring, 101), (true, Status::Warn));
        assert_eq!(status(&expiring, 100 + SOON), (false, Status::Fail));
        assert_eq!(status(&key(None, true), 0), (false, Status::Fail));
        assert_eq!(status(&key(None, false), 1 << 40), (true, Status::Pass));
    }

    #[test]
    fn content_goes_with_the_name() {
        let armoured = openpgp::parse(KEY).unwrap();
        let binary = openpgp::parse(&armoured.bytes).unwrap();
        assert!(fits("/k.asc", &armoured) && !fits("/k.gpg", &armoured) && !fits("/k.asc", &binary));
        assert_eq!(content("/k.gpg", &armoured, KEY), armoured.bytes);
        assert_eq!(content("/k.asc", &armoured, KEY), KEY);
        assert_eq!(openpgp::parse(&content("/k.asc", &binary, &binary.bytes)).unwrap().keys, armoured.keys);
        let twice = [KEY, KEY].concat();
        let joined = content("/k.asc", &openpgp::parse(&twice).unwrap(), &twice);
        let joined = openpgp::parse(&joined).unwrap();
        assert_eq!((joined.blocks, joined.keys.len()), (1, 2));
    }
}
