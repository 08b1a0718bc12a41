//! Doing it, step by step, and taking it back.

use std::time::{Duration, Instant};

use cli::{Answer, Context, Error, Out, Steps};
use etcd::Code;
use kube::{Node, Pod};
use model::{Action, Change, Fault, Kind};
use process::Stop;
use serde_json::json;

use crate::guard::{self, Refusal};
use crate::journal::{Folder, Journal, Member, State, Step};
use crate::look::{Look, Reach};
use crate::{Job, next};

/// How often pods are looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// So long a single question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows what is left to do.
pub(crate) fn plan(job: &Job, reach: &Reach, journal: Option<Journal>, out: &mut Out) -> cli::Result {
    let look = match reach.look(Instant::now() + PATIENCE.min(*job.timeout))? {
        Ok(look) => look,
        Err(refusal) => return refused(&refusal, "guard", &mut Steps::new(out)),
    };
    let journal = match journal_of(job, reach, &look, journal).and_then(|journal| {
        guard::allows(&look, reach.host, &reach.api_host, journal.member.as_ref(), job.force)?;
        Ok(journal)
    }) {
        Ok(journal) => journal,
        Err(refusal) => return refused(&refusal, "guard", &mut Steps::new(out)),
    };
    let mut left = false;
    let mut change = |target: String, action: Action| {
        left = true;
        out.emit(&changed(target, action))
    };
    let name = &journal.node;
    if let Some(node) = same_node(&look, &journal) {
        if !node.spec.unschedulable {
            change(format!("node/{name}"), Action::Update)?;
        }
        for pod in guard::leaving(&look.pods) {
            change(format!("pod/{}", pod.name()), Action::Delete)?;
        }
    }
    if let Some(member) = member_there(&look, &journal) {
        change(format!("etcd-member/{}", member.id), Action::Delete)?;
    }
    if same_node(&look, &journal).is_some() {
        change(format!("node/{name}"), Action::Delete)?;
    }
    Ok(Answer::from(!left))
}

/// Does what is left to do.
pub(crate) fn apply(
    job: &Job,
    reach: &Reach,
    folder: &Folder,
    journal: Option<Journal>,
    out: &mut Out,
) -> cli::Result {
    let deadline = Instant::now() + *job.timeout;
    let mut steps = Steps::new(out);
    let look = match reach.look(deadline.min(Instant::now() + PATIENCE))? {
        Ok(look) => look,
        Err(refusal) => return refused(&refusal, "guard", &mut steps),
    };
    let resumed = journal.as_ref().is_some_and(|journal| journal.state == State::Begun);
    let mut journal = match journal_of(job, reach, &look, journal) {
        Ok(journal) => journal,
        Err(refusal) => return refused(&refusal, "guard", &mut steps),
    };
    let allowed = guard::allows(&look, reach.host, &reach.api_host, journal.member.as_ref(), job.force);
    if let Err(refusal) = allowed {
        return refused(&refusal, "guard", &mut steps);
    }
    if !resumed && journal.uid.is_none() && journal.member.is_none() {
        cli::note(format!("{} is no node, and no member of etcd: nothing to do", journal.node));
        return Ok(Answer::Yes);
    }
    steps.done("guard")?;
    folder.store(&journal)?;
    let stop = Stop::on_signals().unavailable("catching signals")?;
    let mut work = Work { job, reach, steps, stop, deadline };
    for step in Step::ALL {
        if journal.has_ended(step) {
            continue;
        }
        if work.stop.requested() {
            return Err(interrupted());
        }
        folder.begin(&mut journal, step)?;
        let well = match step {
            Step::Cordon => work.cordon(&journal),
            Step::Drain => work.drain(&journal),
            Step::EtcdMember => work.remove_member(&journal),
            Step::Node => work.delete_node(&journal),
        };
        match well {
            Ok(Ok(())) => {
                folder.end(&mut journal, step)?;
                work.steps.done(step.name())?;
            }
            Ok(Err(refusal)) => return refused(&refusal, step.name(), &mut work.steps),
            Err(error) => {
                let failed = match error.kind() {
                    Kind::Invalid => "invalid",
                    Kind::Unavailable if Instant::now() + PAUSE >= deadline => "timeout",
                    Kind::Unavailable => "unavailable",
                };
                work.steps.failed(step.name(), failed)?;
                return Err(match error.known_hint() {
                    Some(_) => error,
                    None => error.hint("apply again goes on from here"),
                });
            }
        }
    }
    for step in next::steps(reach.host, &job.document()) {
        work.steps.out.emit(&step)?;
    }
    journal.state = State::Finished;
    folder.store(&journal)?;
    Ok(Answer::Yes)
}

/// Uncordons, if etcd and the cluster still have it.
pub(crate) fn undo(
    job: &Job,
    reach: &Reach,
    folder: &Folder,
    mut journal: Journal,
    out: &mut Out,
) -> cli::Result {
    let deadline = Instant::now() + PATIENCE.min(*job.timeout);
    let mut steps = Steps::new(out);
    if journal.state == State::Undone {
        return Ok(Answer::Yes);
    }
    // Where a step was begun only etcd knows whether it was done.
    if let Some(member) = journal.member.as_ref().filter(|_| journal.has_begun(Step::EtcdMember))
        && reach.etcd(deadline)?.members.with_id(member.number()).is_none()
    {
        return refused(&gone(&journal.node), "undo", &mut steps);
    }
    let node = node_now(reach, &journal, deadline)?;
    if journal.uid.is_some() && node.is_none() {
        return refused(&gone(&journal.node), "undo", &mut steps);
    }
    if journal.cordoned && node.is_some_and(|node| node.spec.unschedulable) {
        set_schedulable(reach, &journal, true, deadline)?;
        steps.out.emit(&changed(format!("node/{}", journal.node), Action::Update))?;
    }
    journal.state = State::Undone;
    folder.store(&journal)?;
    steps.done("undo")?;
    Ok(Answer::Yes)
}

/// Why there is no way back.
pub(crate) fn gone(node: &str) -> Refusal {
    let why = format!("{node} has left the cluster: there is nothing to go back to");
    Refusal { word: "guard", why, hint: None }
}

/// Says no: a record for scripts, a message for people.
pub(crate) fn refused(refusal: &Refusal, step: &str, steps: &mut Steps) -> cli::Result {
    let doing = if step == "undo" { "undoing" } else { "refused" };
    let message = format!("{doing}: {}", refusal.why);
    steps.failed(step, refusal.word)?;
    match refusal.hint {
        Some(hint) => cli::warn_hint(message, hint),
        None => cli::warn(message),
    }
    Ok(Answer::No)
}

/// The journal that is under way, or a new one of what is there.
fn journal_of(job: &Job, reach: &Reach, look: &Look, kept: Option<Journal>) -> Result<Journal, Refusal> {
    if let Some(journal) = kept.filter(|journal| journal.state == State::Begun) {
        if let Some((etcd, member)) = look.etcd.as_ref().zip(journal.member.as_ref())
            && format!("{:x}", etcd.members.cluster) != member.cluster
        {
            let why = format!(
                "the journal is about etcd {}, this one is {:x}",
                member.cluster, etcd.members.cluster
            );
            return Err(Refusal { word: "guard", why, hint: None });
        }
        return Ok(journal);
    }
    let member = match &look.etcd {
        None => None,
        Some(etcd) => guard::member(etcd, reach.host, job.peer_url.as_deref())?.map(|member| Member {
            id: format!("{:x}", member.id),
            cluster: format!("{:x}", etcd.members.cluster),
            peer_urls: member.peer_urls.clone(),
        }),
    };
    Ok(Journal {
        node: reach.host.name.clone(),
        uid: look.node.as_ref().map(|node| node.metadata.uid.clone()),
        cordoned: look.node.as_ref().is_some_and(|node| !node.spec.unschedulable),
        member,
        steps: Vec::new(),
        state: State::Begun,
    })
}

/// The node the journal is about, and no successor of its name.
fn same_node<'a>(look: &'a Look, journal: &Journal) -> Option<&'a Node> {
    look.node.as_ref().filter(|node| journal.uid.as_ref() == Some(&node.metadata.uid))
}

fn member_there<'a>(look: &Look, journal: &'a Journal) -> Option<&'a Member> {
    let member = journal.member.as_ref()?;
    look.etcd.as_ref()?.members.with_id(member.number())?;
    Some(member)
}

/// The same, asked now.
fn node_now(reach: &Reach, journal: &Journal, deadline: Instant) -> cli::Result<Option<Node>> {
    match reach.api.get::<Node>(&Node::path(&journal.node), deadline) {
        Ok(node) => Ok(Some(node).filter(|node| journal.uid.as_ref() == Some(&node.metadata.uid))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error).doing(format!("asking for node {}", journal.node)),
    }
}

/// Only the node with the journal's uid: the API refuses the patch otherwise.
fn set_schedulable(reach: &Reach, journal: &Journal, yes: bool, deadline: Instant) -> cli::Result<()> {
    let change = json!({"metadata": {"uid": journal.uid}, "spec": {"unschedulable": !yes}});
    let patched: kube::Result<Node> = reach.api.patch(&Node::path(&journal.node), &change, deadline);
    patched.map(drop).doing(format!("changing node {}", journal.node))
}

fn changed(target: String, action: Action) -> Change {
    Change { target, path: None, action, before_sha256: None, after_sha256: None, diff: None }
}

fn interrupted() -> Error {
    Error::unavailable("replacing", "interrupted").hint("apply again goes on from here")
}

/// A step that failed, was refused, or is done.
type Outcome = cli::Result<Result<(), Refusal>>;

struct Work<'a> {
    job: &'a Job,
    reach: &'a Reach<'a>,
    steps: Steps<'a>,
    stop: Stop,
    deadline: Instant,
}

impl Work<'_> {
    fn soon(&self) -> Instant {
        self.deadline.min(Instant::now() + PATIENCE)
    }

    fn tell(&mut self, target: String, action: Action) -> cli::Result<()> {
        self.steps.out.emit(&changed(target, action))
    }

    fn cordon(&mut self, journal: &Journal) -> Outcome {
        let node = node_now(self.reach, journal, self.soon())?;
        if node.is_some_and(|node| !node.spec.unschedulable) {
            set_schedulable(self.reach, journal, false, self.soon())?;
            self.tell(format!("node/{}", journal.node), Action::Update)?;
        }
        Ok(Ok(()))
    }

    fn drain(&mut self, journal: &Journal) -> Outcome {
        let Some(node) = node_now(self.reach, journal, self.soon())? else { return Ok(Ok(())) };
        let give_up = self.job.force && node.is_silent();
        let mut told: Vec<String> = Vec::new();
        let mut blocked = String::new();
        loop {
            let doing = format!("draining {}", journal.node);
            let pods = match self.reach.pods(self.soon()) {
                // An API server that restarts keeps nobody from going on.
                Err(error) if error.kind() == Kind::Unavailable && Instant::now() + PAUSE < self.deadline => {
                    self.wait()?;
                    continue;
                }
                pods => pods.doing(&doing)?,
            };
            let left: Vec<&Pod> = guard::leaving(&pods).collect();
            if left.is_empty() {
                return Ok(Ok(()));
            }
            for pod in &left {
                match self.ask_to_go(pod, give_up) {
                    Ok(asked) => {
                        if asked && !told.contains(&pod.metadata.uid) {
                            told.push(pod.metadata.uid.clone());
                            self.tell(format!("pod/{}", pod.name()), Action::Delete)?;
                        }
                    }
                    Err(error) if error.kind() == Kind::Unavailable => {
                        let why = format!("{}: {error}", pod.name());
                        if blocked != why {
                            cli::note(format!("{doing}: {why}"));
                            blocked = why;
                        }
                    }
                    Err(error) => return Err(error).doing(format!("evicting {}", pod.name())),
                }
            }
            if Instant::now() + PAUSE >= self.deadline {
                let names: Vec<_> = left.iter().take(5).map(|pod| pod.name()).collect();
                let why =
                    format!("time is up, and {} pods are there still: {}", left.len(), names.join(", "));
                let why = if blocked.is_empty() { why } else { format!("{why} ({blocked})") };
                return Err(Error::unavailable(doing, why));
            }
            self.wait()?;
        }
    }

    fn wait(&self) -> cli::Result<()> {
        if self.stop.sleep(PAUSE) { Err(interrupted()) } else { Ok(()) }
    }

    /// Whether the pod was asked to go just now; once it has been, it is waited for.
    fn ask_to_go(&self, pod: &Pod, give_up: bool) -> kube::Result<bool> {
        let asked = if give_up {
            // Nobody is there to end it, or to confirm that it has ended.
            self.reach.api.delete(&pod.path(), &pod.metadata.uid, Some(0), self.soon())
        } else if pod.metadata.deletion_timestamp.is_some() {
            return Ok(false);
        } else {
            self.reach.api.evict(pod, self.job.grace, self.soon())
        };
        match asked {
            Ok(()) => Ok(true),
            // Gone, or another one of its name: the next look will tell.
            Err(error) if error.is_not_found() || error.word() == "conflict" => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn remove_member(&mut self, journal: &Journal) -> Outcome {
        let Some(member) = &journal.member else { return Ok(Ok(())) };
        let id = member.number();
        let doing = format!("removing etcd's member {}", member.id);
        let etcd = self.reach.etcd(self.soon())?;
        if etcd.members.with_id(id).is_none() {
            return Ok(Ok(()));
        }
        // What held when it began may hold no more.
        if let Err(refusal) = guard::quorum(&etcd, id) {
            return Ok(Err(refusal));
        }
        let others = etcd.urls.iter().filter(|(other, _)| *other != id);
        let mut failure = None;
        for (_, url) in others {
            match self.reach.client(url)?.member_remove(id, self.soon()) {
                Ok(_) => {
                    self.tell(format!("etcd-member/{}", member.id), Action::Delete)?;
                    return Ok(Ok(()));
                }
                Err(error) => failure = Some(error),
            }
            // Without an answer it may have been removed all the same.
            if self.reach.etcd(self.soon())?.members.with_id(id).is_none() {
                self.tell(format!("etcd-member/{}", member.id), Action::Delete)?;
                return Ok(Ok(()));
            }
        }
        match failure {
            Some(etcd::Error::Denied { code: Code::Precondition, text }) => {
                let hint = Some("bring a member back first; etcd-check tells what is wrong with each");
                Ok(Err(Refusal { word: "quorum", why: format!("etcd refuses: {text}"), hint }))
            }
            Some(error) => Err(error).doing(doing),
            None => Err(Error::unavailable(doing, "no other member is alive")),
        }
    }

    fn delete_node(&mut self, journal: &Journal) -> Outcome {
        let Some(uid) = &journal.uid else { return Ok(Ok(())) };
        match self.reach.api.delete(&Node::path(&journal.node), uid, None, self.soon()) {
            Ok(()) => self.tell(format!("node/{}", journal.node), Action::Delete)?,
            Err(error) if error.is_not_found() => {}
            Err(error) if error.word() == "conflict" => {
                cli::warn(format!("another node called {} has joined since: it stays", journal.node));
            }
            Err(error) => return Err(error).doing(format!("deleting node {}", journal.node)),
        }
        Ok(Ok(()))
    }
}
