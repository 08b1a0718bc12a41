//! Joining: what speaks against it, and doing it.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cli::{Answer, Context, Out, Steps};
use kubeadm::cluster_info::Distrust;
use kubeadm::{Credentials, Failure, Judge, Stage, Verb, cluster_info};
use model::Status;

use crate::options::Looked;

/// So long the cluster may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// So long the cluster may take to sign with a new token.
const SIGNED: Duration = Duration::from_secs(15);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(300);

/// Everything that can be told before anything is changed.
pub(crate) fn judge(looked: &Looked, stage: Stage) -> Judge<'_> {
    let mut judge = Judge::new("kubeadm-join", &looked.platform, looked.host());
    let (status, why) = match (stage, looked.control_plane) {
        (Stage::Bare, _) => (Status::Pass, "nothing of kubeadm is here yet"),
        (Stage::ControlPlane, true) | (Stage::Worker, false) => {
            (Status::Pass, "this machine has joined: nothing to do")
        }
        (Stage::Begun { verb: Verb::Join, .. }, _) => {
            (Status::Warn, "a join was begun and not finished: it is taken up")
        }
        (Stage::Begun { verb: Verb::Init, .. }, _) => {
            (Status::Fail, "an init was begun here and not finished")
        }
        (Stage::ControlPlane, false) => (Status::Fail, "this machine is a control plane of a cluster"),
        (Stage::Worker, true) => (Status::Fail, "this machine is a worker of a cluster"),
        (Stage::Litter, _) => (Status::Fail, "something of kubeadm is here that no run of ours left"),
    };
    let found = judge.add("stage", status, why);
    found.file = Some("/etc/kubernetes".into());
    if status == Status::Fail {
        found.fix = Some("`kubeadm reset` takes it away, if nobody needs it".into());
    }
    if let Some(known) = looked.known() {
        credentials(known, looked.control_plane, &mut judge);
    } else {
        let why = "without credentials nobody can say whether they hold";
        let found = judge.add("token", Status::Unknown, why);
        found.fix = Some("`kubeadm-join renew` on a control plane, then --credentials".into());
    }
    if !looked.live {
        judge.add(
            "machine",
            Status::NotApplicable,
            "an image tree has no addresses, no runtime and no network",
        );
        return judge;
    }
    judge.address();
    judge.versions(&looked.kubeadm);
    judge.runtime(&looked.socket);
    if let Some(known) = looked.known() {
        judge.endpoint(&known.endpoint, ANSWER);
        cluster(known, &mut judge);
    }
    judge
}

/// Whether the token and the key still hold, as far as their times are known.
fn credentials(known: &Credentials, control_plane: bool, judge: &mut Judge) {
    let key = known.certificate_key_expires.filter(|_| control_plane);
    for (check, what, expires) in
        [("token", "the token", known.token_expires), ("certificate-key", "the certificate key", key)]
    {
        let Some(expires) = expires else { continue };
        let at = cli::rfc3339(expires).to_string();
        let found = match expires.duration_since(SystemTime::now()) {
            Ok(left) => {
                judge.add(check, Status::Pass, format!("{what} holds for {}", crate::secrets::rough(left)))
            }
            Err(over) => {
                let ago = crate::secrets::rough(over.duration());
                let found = judge.add(check, Status::Fail, format!("{what} expired {ago} ago"));
                found.fix = Some("`kubeadm-join renew` on a control plane".into());
                found
            }
        };
        found.current = Some(at);
    }
}

/// Whether the cluster is the one the credentials are for. A new token takes
/// its controllers a moment to sign with, and so does an address on its way
/// from one balancer to the other.
fn cluster(known: &Credentials, judge: &mut Judge) {
    let Some(token) = &known.token else { return };
    let deadline = Instant::now() + SIGNED;
    let verdict = loop {
        let verdict = cluster_info::fetch(&known.endpoint, Instant::now() + ANSWER)
            .map(|info| cluster_info::judge(&info, token, Some(&known.ca_cert_hash)));
        let may_change = matches!(verdict, Ok(Err(Distrust::Unsigned(_))) | Err(_));
        if !may_change || Instant::now() + PAUSE > deadline {
            break verdict;
        }
        thread::sleep(PAUSE);
    };
    let found = match verdict {
        Ok(Ok(_)) => {
            judge.add("cluster-info", Status::Pass, "the cluster is the one the credentials are for")
        }
        Ok(Err(distrust)) => {
            let found = judge.add("cluster-info", Status::Fail, distrust.to_string());
            found.fix =
                Some("`kubeadm-join renew` on a control plane, and see that the address is right".into());
            found
        }
        Err(error) => {
            let found = judge.add(
                "cluster-info",
                Status::Fail,
                format!("the cluster does not say who it is: {error}"),
            );
            found.fix = Some("see that its API servers are up: `lb-stats`, `cluster-verify`".into());
            found
        }
    };
    found.current = Some(known.endpoint.clone());
}

pub(crate) fn apply(looked: &Looked, timeout: Duration, force: bool, out: &mut Out) -> cli::Result {
    let stage = looked.site.stage().doing("looking at /etc/kubernetes")?;
    if looked.is_in(stage) {
        return Ok(Answer::Yes);
    }
    let change = looked.change(Some(&looked.document(true)?));
    // Registering is the last thing a worker does.
    let is_done =
        !looked.control_plane && matches!(stage, Stage::Begun { verb: Verb::Join, registered: true });
    if !is_done {
        let judge = judge(looked, stage);
        if judge.refuses() && !force {
            judge.reasons().try_for_each(|one| out.emit(one))?;
            Steps::new(out).failed("check", "guard")?;
            return Ok(Answer::No);
        }
        judge.reservations().for_each(cli::warn_of);
    }
    let call = looked.call(stage, looked.document(false)?, timeout);
    let _lock = looked.site.begin(Verb::Join).doing("beginning")?;
    let mut steps = Steps::new(out);
    if !is_done && let Err(failure) = call.run() {
        steps.failed("kubeadm-join", failure.word())?;
        return match failure {
            // What its own checks refuse is an answer; the rest is none.
            Failure::Preflight(reasons) => {
                reasons.iter().for_each(|reason| cli::warn(format!("kubeadm's checks: {reason}")));
                Ok(Answer::No)
            }
            failure => Err(failure).doing(format!("running {}", call.line())),
        };
    }
    steps.done("kubeadm-join")?;
    looked.site.end(Verb::Join).doing("ending")?;
    out.emit(&change)?;
    Ok(Answer::Yes)
}
