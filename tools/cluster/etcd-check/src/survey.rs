//! Asking every member there is.

use std::thread;
use std::time::{Duration, Instant};

use etcd::{Alarm, AlarmKind, Client, Member, Members, Metrics, Status};

use crate::reach::{Reach, host_at};

/// Far above the metrics of a member.
const METRICS_BYTES: u64 = 16 << 20;

/// What all members together told.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The members of the membership, in its order; then endpoints nobody knows whose they are.
    pub(crate) seen: Vec<Seen>,
    /// The membership as the member knows it that has applied most; `None` if none answered.
    pub(crate) members: Option<Members>,
}

/// One member, or an endpoint behind which there should be one.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What the membership says of it; `None` if nothing.
    pub(crate) member: Option<Member>,
    /// The platform's host it runs on.
    pub(crate) host: Option<String>,
    /// Where it was asked.
    pub(crate) endpoint: Option<String>,
    /// What it said.
    pub(crate) answer: Option<Answer>,
    /// Why it said nothing: a word, and the reason.
    pub(crate) failure: Option<(&'static str, String)>,
}

/// What a member said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    /// The membership as it knows it; `None` of a learner, which is not asked for it.
    pub(crate) members: Option<Members>,
    /// Its alarms, and those of others; `None` if it did not say.
    pub(crate) alarms: Option<Vec<Alarm>>,
    /// How long agreeing with a majority took, or why it did not.
    pub(crate) agreed: Result<Duration, String>,
    /// `None` if nobody could be asked for them.
    pub(crate) metrics: Option<Metrics>,
}

/// An endpoint, and what came of asking it.
struct Asked {
    client: Client,
    said: etcd::Result<(Status, Option<Members>)>,
}

impl Survey {
    /// Asks the endpoints, then the members these know of, then everybody who answered for the rest.
    pub(crate) fn of(reach: &Reach, timeout: Duration) -> cli::Result<Self> {
        let start = Instant::now();
        let mut asked = ask(reach.clients(&reach.urls)?, start + timeout / 3);
        let members = best(&asked);
        if let Some(members) = &members {
            let more = unheard(members, &asked);
            asked.extend(ask(reach.clients(&more)?, start + timeout * 2 / 3));
        }
        // Whoever was asked last may know more.
        let members = best(&asked);
        let metrics = reach.metrics();
        let deadline = start + timeout;
        let answers: Vec<_> = thread::scope(|scope| {
            let examine = |asked| scope.spawn(|| examined(asked, reach, deadline));
            let running: Vec<_> = asked.into_iter().map(examine).collect();
            running.into_iter().filter_map(|one| one.join().ok()).collect()
        });
        let mut survey = Self { seen: arrange(answers, members.as_ref()), members };
        survey.add_metrics(&metrics);
        for seen in &mut survey.seen {
            let endpoint = seen.endpoint.as_deref().and_then(etcd::url_host);
            let peers = seen.member.iter().flat_map(Member::peer_hosts);
            let hosts = || reach.hosts.iter().flatten();
            seen.host =
                peers.chain(endpoint).find_map(|at| host_at(hosts(), at)).map(|host| host.name.clone());
        }
        Ok(survey)
    }

    /// Those that answered.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&Seen, &Answer)> {
        self.seen.iter().filter_map(|seen| Some((seen, seen.answer.as_ref()?)))
    }

    /// Metrics from elsewhere say themselves whose they are.
    fn add_metrics(&mut self, metrics: &[Metrics]) {
        for answer in self.seen.iter_mut().filter_map(|seen| seen.answer.as_mut()) {
            let own = metrics.iter().find(|metrics| metrics.member == Some(answer.status.member));
            answer.metrics = own.copied().or(answer.metrics);
        }
    }
}

fn ask(clients: Vec<Client>, deadline: Instant) -> Vec<Asked> {
    // A learner refuses to tell the membership.
    let said = |client: &Client| {
        let status = client.status(deadline)?;
        let members = (!status.learner).then(|| client.members(deadline)).transpose()?;
        Ok((status, members))
    };
    thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .map(|client| scope.spawn(move || Asked { said: said(&client), client }))
            .collect();
        running.into_iter().filter_map(|one| one.join().ok()).collect()
    })
}

/// The membership of whoever has applied most: the others are behind.
fn best(asked: &[Asked]) -> Option<Members> {
    let said = asked.iter().filter_map(|asked| asked.said.as_ref().ok());
    let told = said.filter_map(|(status, members)| Some((status, members.as_ref()?)));
    told.max_by_key(|(status, _)| status.raft_index).map(|(_, members)| members.clone())
}

/// Where members can be asked that have not been heard of.
fn unheard(members: &Members, asked: &[Asked]) -> Vec<String> {
    let answered =
        |member: &&Member| asked.iter().any(|a| a.said.as_ref().is_ok_and(|(s, _)| s.member == member.id));
    let is_new = |url: &&String| !asked.iter().any(|asked| same(asked.client.url(), url));
    let silent = members.list.iter().filter(|member| !answered(member));
    silent.filter_map(|member| member.client_urls.iter().find(is_new)).cloned().collect()
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// The rest of what a member has to say, if it says anything at all.
fn examined(asked: Asked, reach: &Reach, deadline: Instant) -> Seen {
    let endpoint = Some(asked.client.url().to_owned());
    match asked.said {
        Err(error) => {
            let told = (error.word(), error.to_string());
            let cut_off = !["refused", "timeout", "tls"].contains(&told.0);
            let cause = if cut_off { reach.tls_failure_at(asked.client.url(), deadline) } else { None };
            Seen { endpoint, failure: Some(cause.unwrap_or(told)), ..Seen::default() }
        }
        Ok((status, members)) => {
            let alarms = asked.client.alarms(deadline).ok();
            let url = format!("{}/metrics", asked.client.url().trim_end_matches('/'));
            let metrics = reach.metrics_at(&url, deadline);
            let start = Instant::now();
            let agreed = asked.client.agree(deadline);
            let agreed = agreed.map(|()| start.elapsed()).map_err(|error| error.to_string());
            let answer = Some(Answer { status, members, alarms, agreed, metrics });
            Seen { endpoint, answer, ..Seen::default() }
        }
    }
}

/// Every member of the membership with what came of asking it, then the endpoints that are left.
fn arrange(mut asked: Vec<Seen>, members: Option<&Members>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for member in members.iter().flat_map(|members| &members.list) {
        let answered =
            |one: &Seen| one.answer.as_ref().is_some_and(|answer| answer.status.member == member.id);
        let listed = |one: &Seen| {
            let url = one.endpoint.as_deref().unwrap_or_default();
            one.answer.is_none() && member.client_urls.iter().any(|client| same(client, url))
        };
        let found = asked.iter().position(answered).or_else(|| asked.iter().position(listed));
        let one = found.map(|at| asked.remove(at)).unwrap_or_default();
        // Two endpoints may lead to one member.
        asked.retain(|other| !answered(other) && !listed(other));
        seen.push(Seen { member: Some(member.clone()), ..one });
    }
    seen.extend(asked);
    seen
}

/// The metrics behind a URL; `None` if there are none.
pub(crate) fn metrics(client: &http::Client, url: &str, deadline: Instant) -> Option<Metrics> {
    let answer = client.get(url, deadline).and_then(http::Response::success).ok()?;
    Some(Metrics::parse(&answer.text(METRICS_BYTES).ok()?))
}

/// An alarm's name in records.
pub(crate) fn alarm_name(kind: AlarmKind) -> String {
    match kind {
        AlarmKind::Nospace => "nospace".to_owned(),
        AlarmKind::Corrupt => "corrupt".to_owned(),
        AlarmKind::Other(number) => format!("alarm-{number}"),
    }
}
