//! What a document means for those who wait for the address.

use ha::Timing;
use model::{Finding, Severity, Status};

use crate::setup::Setup;

/// Which interval to take where.
const ADVERTS: &str = "100 ms; 50 ms on hardware of their own, 30 ms if they share a switch as well; \
                       300 ms and more where machines are paused";

/// The timers of the slowest failover there can be: to the lowest priority of
/// all balancers, of which there is at least one.
pub(crate) fn timing(setups: &[Setup]) -> Timing {
    let lowest = setups.iter().map(|setup| setup.priority).min();
    setups[0].timing(lowest.unwrap_or(u8::MAX))
}

/// What to think about before relying on it.
pub(crate) fn findings(document: &str, setups: &[Setup]) -> Vec<Finding> {
    let timing = timing(setups);
    let slow = !(30..=300).contains(&timing.advert_ms);
    let advert = Finding {
        tool: "lb-render".into(),
        target: document.into(),
        check: "advert-interval".into(),
        status: if slow { Status::Warn } else { Status::Pass },
        severity: Severity::Info,
        file: Some(document.into()),
        line: None,
        current: Some(format!("{} ms", timing.advert_ms)),
        want: Some(ADVERTS.into()),
        why: format!("a silent holder is missed for {}", silences(&timing)),
        fix: slow.then(|| "set load_balancing.advert_ms".into()),
        reference: Some("RFC 5798 section 6.1".into()),
    };
    if setups[0].watch {
        return vec![advert];
    }
    let script = Finding {
        check: "check-mode".into(),
        status: Status::Warn,
        severity: Severity::Medium,
        current: Some("script".into()),
        want: Some("track-file".into()),
        why: "keepalived starts a script once a second at most, so it notices a dead haproxy late".into(),
        fix: Some("set load_balancing.check.mode to track-file".into()),
        reference: Some("keepalived.conf(5), vrrp_script".into()),
        ..advert.clone()
    };
    vec![advert, script]
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
