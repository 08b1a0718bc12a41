//! The arithmetic of a failover.

use model::Prediction;

/// The timers that decide how long a failover takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The version of VRRP spoken.
    pub version: Version,
    /// Between two adverts, milliseconds.
    pub advert_ms: u32,
    /// The priority of the balancer that takes over.
    pub priority: u8,
    /// Whether a balancer of higher priority takes the address back.
    pub preempt: bool,
    /// How keepalived learns that haproxy is gone.
    pub detection: Detection,
}

/// The version of VRRP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768: adverts in whole seconds.
    V2,
    /// RFC 5798: adverts in hundredths of a second.
    V3,
}

/// How keepalived learns that haproxy is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// `ha-vipcheck --watch` writes a track file: at once when the process
    /// ends, after `fall` unanswered questions when it hangs.
    Watch {
        /// Between two questions, milliseconds.
        interval_ms: u32,
        /// How long one question waits, milliseconds.
        timeout_ms: u32,
        /// How many must fail.
        fall: u32,
    },
    /// keepalived starts a script.
    Script {
        /// Between two starts, milliseconds.
        interval_ms: u32,
        /// How long the script waits for an answer that does not come, milliseconds.
        timeout_ms: u32,
        /// How many must fail.
        fall: u32,
        /// Whether it lowers the priority (a weight) rather than fault the
        /// instance: no priority 0 is sent, the backup waits as if for silence.
        weighted: bool,
    },
    /// Nothing asks: the address stays where haproxy is dead.
    Blind,
}

/// A span of time, and how it came about.
struct Span {
    min: f64,
    max: Option<f64>,
    formula: String,
}

impl Timing {
    /// The wait of a backup that was told the holder stops, milliseconds.
    pub fn skew_ms(&self) -> f64 {
        let unit = match self.version {
            Version::V2 => 1000,
            Version::V3 => self.advert_ms,
        };
        f64::from(256 - u32::from(self.priority)) / 256.0 * f64::from(unit)
    }

    /// The wait of a backup after the last advert it heard, milliseconds.
    pub fn down_ms(&self) -> f64 {
        3.0 * f64::from(self.advert_ms) + self.skew_ms()
    }

    /// What each fault will cost.
    pub fn predictions(&self) -> Vec<Prediction> {
        let (graceful, silent) = (self.graceful(), self.silent());
        let case = |case: &str, span: &Span, why: &str| Prediction {
            case: case.into(),
            min_ms: whole(span.min),
            max_ms: span.max.map(whole),
            formula: span.formula.clone(),
            why: why.into(),
        };
        let killed = Span { min: 0.0, ..self.silent() };
        let back = if self.preempt { f64::from(self.advert_ms) } else { 0.0 };
        let back = Span { min: 0.0, max: Some(back), formula: "0 ... advert if preempting, else 0".into() };
        let nothing = |formula: &str| Span { min: 0.0, max: Some(0.0), formula: formula.into() };
        vec![
            case("graceful", &graceful, "the holder sends priority 0 and the backup waits its skew"),
            case("silent", &silent, "the backup waits for adverts that do not come"),
            case("keepalived-stopped", &graceful, "a keepalived told to stop sends priority 0"),
            case(
                "keepalived-killed",
                &killed,
                "the address stays on the dead holder while the backup takes it too: two holders until one is cleaned",
            ),
            case(
                "haproxy-killed",
                &self.dead(),
                "the end of haproxy must be noticed before the address can move",
            ),
            case(
                "haproxy-hung",
                &self.hung(),
                "only unanswered questions tell a hung haproxy from a slow one",
            ),
            case("carrier", &silent, "a holder without carrier cannot say that it stops"),
            case("partition", &silent, "a holder that is cut off cannot say that it stops"),
            case("failback", &back, "a healed node takes the address back only if it preempts"),
            case("reload", &nothing("0"), "the new worker inherits the listening sockets"),
            case("api-killed", &nothing("0"), "a refused connection goes to another server at once"),
            case("api-silent", &nothing("0"), "a connection that gets no answer goes to another server"),
            case("api-500", &nothing("0"), "the others answer, and the check takes this server away"),
        ]
    }

    fn graceful(&self) -> Span {
        let skew = self.skew_ms();
        Span { min: skew, max: Some(skew), formula: format!("skew = {}", self.skew_formula()) }
    }

    fn silent(&self) -> Span {
        let advert = self.advert_ms;
        let formula = format!("3 x {advert} + skew - (0 ... {advert}), skew = {}", self.skew_formula());
        Span { min: self.down_ms() - f64::from(advert), max: Some(self.down_ms()), formula }
    }

    fn dead(&self) -> Span {
        match self.detection {
            Detection::Watch { interval_ms, .. } => {
                let skew = self.skew_ms();
                let formula = format!("(0 ... interval {interval_ms}) + skew {skew:.0}");
                Span { min: skew, max: Some(skew + f64::from(interval_ms)), formula }
            }
            Detection::Script { interval_ms, fall, .. } => self.asked(interval_ms, 0, fall),
            Detection::Blind => Self::never(),
        }
    }

    fn hung(&self) -> Span {
        match self.detection {
            Detection::Watch { interval_ms, timeout_ms, fall } => {
                // While one question waits, the next is asked half an interval later.
                let asked = f64::from(fall.saturating_sub(1) * interval_ms) / 2.0 + f64::from(timeout_ms);
                let skew = self.skew_ms();
                let formula = format!(
                    "(0 ... interval {interval_ms}) + (fall {fall} - 1) x interval / 2 + timeout {timeout_ms} + skew {skew:.0}"
                );
                Span { min: asked + skew, max: Some(asked + skew + f64::from(interval_ms)), formula }
            }
            Detection::Script { interval_ms, timeout_ms, fall, .. } => {
                self.asked(interval_ms, timeout_ms, fall)
            }
            Detection::Blind => Self::never(),
        }
    }

    /// Seen by a script keepalived starts.
    fn asked(&self, interval_ms: u32, timeout_ms: u32, fall: u32) -> Span {
        let weighted = matches!(self.detection, Detection::Script { weighted: true, .. });
        let (move_ms, name) =
            if weighted { (self.down_ms(), "3 x advert + skew") } else { (self.skew_ms(), "skew") };
        let after = f64::from(timeout_ms) + move_ms;
        let interval = f64::from(interval_ms);
        Span {
            min: f64::from(fall.saturating_sub(1)) * interval + after,
            max: Some(f64::from(fall) * interval + after),
            formula: format!(
                "({} ... {fall}) x interval {interval_ms} + timeout {timeout_ms} + {name} {move_ms:.0}",
                fall.saturating_sub(1)
            ),
        }
    }

    fn never() -> Span {
        Span { min: 0.0, max: None, formula: "nothing asks haproxy".into() }
    }

    fn skew_formula(&self) -> String {
        let unit = match self.version {
            Version::V2 => "1000".into(),
            Version::V3 => format!("advert {}", self.advert_ms),
        };
        format!("(256 - {}) / 256 x {unit}", self.priority)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of timers, never negative")]
fn whole(ms: f64) -> u32 {
    ms.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    // The three set-ups whose failovers were measured; the guide's is kubeadm's.
    const GUIDE: Timing = Timing {
        version: Version::V2,
        advert_ms: 1000,
        priority: 100,
        preempt: true,
        detection: Detection::Script { interval_ms: 3000, timeout_ms: 2000, fall: 10, weighted: true },
    };
    const TUNED: Timing = Timing {
        version: Version::V3,
        advert_ms: 200,
        priority: 100,
        preempt: false,
        detection: Detection::Script { interval_ms: 1000, timeout_ms: 800, fall: 2, weighted: false },
    };
    const WATCHED: Timing = Timing {
        advert_ms: 100,
        detection: Detection::Watch { interval_ms: 100, timeout_ms: 300, fall: 2 },
        ..TUNED
    };

    fn span(timing: Timing, case: &str) -> (u32, Option<u32>) {
        let found = timing.predictions().into_iter().find(|prediction| prediction.case == case);
        found.map(|prediction| (prediction.min_ms, prediction.max_ms)).unwrap()
    }

    #[test]
    fn a_graceful_stop_costs_the_skew() {
        assert_eq!(span(GUIDE, "keepalived-stopped"), (609, Some(609)));
        assert_eq!(span(TUNED, "keepalived-stopped"), (122, Some(122)));
        assert_eq!(span(WATCHED, "keepalived-stopped"), (61, Some(61)));
    }

    #[test]
    fn a_silent_death_costs_three_adverts_and_the_skew_less_the_age_of_the_last() {
        for case in ["silent", "carrier", "partition"] {
            assert_eq!(span(GUIDE, case), (2609, Some(3609)));
            assert_eq!(span(TUNED, case), (522, Some(722)));
            assert_eq!(span(WATCHED, case), (261, Some(361)));
        }
    }

    #[test]
    fn a_dead_haproxy_costs_its_detection() {
        assert_eq!(span(GUIDE, "haproxy-killed"), (27000 + 3609, Some(30000 + 3609)));
        assert_eq!(span(TUNED, "haproxy-killed"), (1122, Some(2122)));
        assert_eq!(span(WATCHED, "haproxy-killed"), (61, Some(161)));
    }

    #[test]
    fn a_hung_haproxy_costs_the_patience_of_every_question() {
        assert_eq!(span(TUNED, "haproxy-hung"), (1922, Some(2922)));
        assert_eq!(span(WATCHED, "haproxy-hung"), (411, Some(511)));
        let patient = Detection::Watch { interval_ms: 100, timeout_ms: 100, fall: 3 };
        assert_eq!(
            span(Timing { priority: 253, detection: patient, ..WATCHED }, "haproxy-hung"),
            (201, Some(301))
        );
    }

    #[test]
    fn nobody_asking_has_no_end() {
        assert_eq!(span(Timing { detection: Detection::Blind, ..TUNED }, "haproxy-hung"), (0, None));
    }

    #[test]
    fn priorities_near_the_top_leave_almost_no_skew() {
        let high = |advert_ms| Timing { priority: 253, advert_ms, ..WATCHED };
        assert_eq!(span(high(100), "silent"), (201, Some(301)));
        assert_eq!(span(high(50), "silent"), (101, Some(151)));
        assert_eq!(span(high(30), "silent"), (60, Some(90)));
    }
}
