//! What several checks amount to.

use model::Check;
use probe::Cause;

use crate::ApiDown;
use crate::urls::Answered;

/// Why a node is not healthy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unhealthy {
    pub(crate) reason: String,
    pub(crate) error: String,
}

/// The first reason why the node is not healthy; `None` if it is.
pub(crate) fn of(
    own: &[Check],
    haproxy: Option<&Check>,
    urls: &[Answered],
    any: bool,
    api_down: ApiDown,
) -> Option<Unhealthy> {
    let forgiving = api_down == ApiDown::Ok;
    let failed = own.iter().find(|check| !check.ok);
    let failed = failed.or_else(|| {
        haproxy.filter(|check| {
            let forgiven = forgiving && check.phase.as_deref() == Some("servers");
            !(check.ok || forgiven)
        })
    });
    if failed.is_some() {
        return failed.map(because);
    }
    let bad = |answer: &&Answered| !(answer.check.ok || forgiving && behind(answer, haproxy.is_some()));
    let (vip, local): (Vec<_>, Vec<_>) = urls.iter().partition(|answer| answer.check.name == "vip");
    let enough = any && local.iter().any(|answer| !bad(answer));
    let failed = local.into_iter().filter(|_| !enough).chain(vip).find(bad);
    failed.map(|answer| because(&answer.check))
}

/// Whether a failure lies behind a balancer that is itself alive.
///
/// Its port is answered by the kernel even while it hangs, so silence after
/// that proves life only if its socket was answered.
fn behind(answer: &Answered, balancer_answered: bool) -> bool {
    answer.check.phase.as_deref() != Some("connect")
        && (balancer_answered || answer.cause != Some(Cause::Timeout))
        && answer.cause != Some(Cause::Certificate)
}

pub(crate) fn because(check: &Check) -> Unhealthy {
    let reason = match &check.phase {
        Some(phase) => format!("{}:{phase}", check.name),
        None => check.name.clone(),
    };
    Unhealthy { reason, error: check.error.clone().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, phase: &str, error: Option<&str>) -> Check {
        Check {
            name: name.into(),
            ok: error.is_none(),
            phase: Some(phase.into()),
            error: error.map(str::to_owned),
            ..Check::default()
        }
    }

    fn url(name: &str, phase: &str, cause: Option<Cause>) -> Answered {
        Answered { check: check(name, phase, cause.map(Cause::as_str)), cause }
    }

    fn reason(urls: &[Answered], any: bool, api_down: ApiDown) -> Option<String> {
        of(&[], None, urls, any, api_down).map(|unhealthy| unhealthy.reason)
    }

    #[test]
    fn all_must_do_well_unless_any_is_enough() {
        let urls = [url("local", "body", None), url("url-2", "connect", Some(Cause::Refused))];
        assert_eq!(reason(&urls, false, ApiDown::Fail).as_deref(), Some("url-2:connect"));
        assert_eq!(reason(&urls, true, ApiDown::Fail), None);
    }

    #[test]
    fn the_virtual_address_must_answer_whatever_else_does() {
        let urls = [url("local", "body", None), url("vip", "tls", Some(Cause::Timeout))];
        assert_eq!(reason(&urls, true, ApiDown::Fail).as_deref(), Some("vip:tls"));
    }

    #[test]
    fn an_api_that_is_down_everywhere_is_forgiven_but_not_a_balancer_that_is_dead_or_silent() {
        for (phase, cause, forgiven) in [
            ("tls", Cause::Eof, true),
            ("tls", Cause::Reset, true),
            ("connect", Cause::Refused, false),
            ("connect", Cause::Timeout, false),
            ("tls", Cause::Timeout, false),
            ("tls", Cause::Certificate, false),
        ] {
            let urls = [url("local", phase, Some(cause))];
            assert_eq!(reason(&urls, false, ApiDown::Ok).is_none(), forgiven, "{phase} {cause:?}");
        }
        let (alive, silent) =
            (check("haproxy", "servers", Some("too-few")), [url("local", "tls", Some(Cause::Timeout))]);
        assert_eq!(of(&[], Some(&alive), &silent, false, ApiDown::Ok), None);
        let dead = check("haproxy", "connect", Some("missing"));
        assert_eq!(of(&[], Some(&dead), &[], false, ApiDown::Ok).unwrap().reason, "haproxy:connect");
    }
}
