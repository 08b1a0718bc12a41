//! What a document means for those who wait for the address.

use ha::Timing;
use model::{Finding, Severity, Status};

use crate::setup::Setup;

/// The timers of the slowest failover there can be: to the lowest priority of
/// all balancers, of which there is at least one.
pub(crate) fn timing(setups: &[Setup]) -> Timing {
    let lowest = setups.iter().map(|setup| setup.priority).min();
    setups[0].timing(lowest.unwrap_or(u8::MAX))
}

/// What to think about before relying on it.
pub(crate) fn findings(document: &str, setups: &[Setup]) -> Vec<Finding> {
    let timing = timing(setups);
    let finding = |check: &str, status, current: String, want: &str, why: String, fix: &str| Finding {
        tool: "lb-render".into(),
        target: document.into(),
        check: check.into(),
        status,
        severity: Severity::Info,
        file: Some(document.into()),
        line: None,
        current: Some(current),
        want: Some(want.into()),
        why,
        fix: (status != Status::Pass).then(|| fix.into()),
        reference: Some("RFC 5798 section 6.1".into()),
    };
    let mut findings = vec![finding(
        "advert-interval",
        if (30..=300).contains(&timing.advert_ms) { Status::Pass } else { Status::Warn },
        format!("{} ms", timing.advert_ms),
        "100 ms; 50 ms on hardware of their own, 30 ms if they share a switch as well; 300 ms and more where machines are paused",
        format!("a silent holder is missed for {}", silences(&timing)),
        "set load_balancing.advert_ms",
    )];
    if !setups[0].watch {
        let file = "set load_balancing.check.mode to track-file";
        let why =
            "keepalived starts a script once a second at most: a dead haproxy is noticed after one to two"
                .to_owned();
        findings.push(finding("check-mode", Status::Warn, "script".into(), "track-file", why, file));
    }
    findings
}

/// The span of a silent failover at each interval worth thinking about.
fn silences(timing: &Timing) -> String {
    let mut adverts = vec![timing.advert_ms, 100, 50, 30];
    adverts.sort_unstable_by(|a, b| b.cmp(a));
    adverts.dedup();
    let one = |advert_ms: u32| {
        let timing = Timing { advert_ms, ..*timing };
        format!("{:.0}-{:.0} ms at {advert_ms}", timing.down_ms() - f64::from(advert_ms), timing.down_ms())
    };
    adverts.into_iter().map(one).collect::<Vec<_>>().join(", ")
}
