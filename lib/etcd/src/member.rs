//! Members, and what they say of themselves.

use crate::wire;

/// The membership, as one member knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// The cluster's id.
    pub cluster: u64,
    /// All members, learners and those that never started included.
    pub list: Vec<Member>,
}

/// One member, as the membership has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id; etcd prints it in hex.
    pub id: u64,
    /// Its name; `None` until it has started for the first time.
    pub name: Option<String>,
    /// Where the other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; none until it has started.
    pub client_urls: Vec<String>,
    /// Whether it only listens: a learner has no vote.
    pub learner: bool,
}

impl Member {
    /// Whether it ever started: only then does it publish its name and client URLs.
    pub fn started(&self) -> bool {
        self.name.is_some()
    }

    /// The addresses or names in its peer URLs.
    pub fn peer_hosts(&self) -> impl Iterator<Item = &str> {
        self.peer_urls.iter().filter_map(|url| url_host(url))
    }
}

/// The address or name in a URL such as `https://[fd00::21]:2380`, without brackets.
pub fn url_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?.0,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    Some(host).filter(|host| !host.is_empty())
}

impl Members {
    /// The member of an id.
    pub fn with_id(&self, id: u64) -> Option<&Member> {
        self.list.iter().find(|member| member.id == id)
    }

    /// The member whose peers reach it at this URL. The URL is what tells a
    /// dead member from its successor of the same name.
    pub fn at_peer_url(&self, url: &str) -> Option<&Member> {
        let bare = url.trim_end_matches('/');
        self.list.iter().find(|member| member.peer_urls.iter().any(|peer| peer.trim_end_matches('/') == bare))
    }

    /// The members whose peers reach them at this address or name, whatever the port.
    pub fn at_host<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Member> {
        self.list.iter().filter(move |member| member.peer_hosts().any(|peer| peer == host))
    }

    /// The members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.list.iter().filter(|member| !member.learner)
    }
}

impl From<wire::Member> for Member {
    fn from(member: wire::Member) -> Self {
        Self {
            id: member.id,
            name: Some(member.name).filter(|name| !name.is_empty()),
            peer_urls: member.peer_urls,
            client_urls: member.client_urls,
            learner: member.is_learner,
        }
    }
}

impl From<wire::MembersResponse> for Members {
    fn from(answer: wire::MembersResponse) -> Self {
        Self {
            cluster: answer.header.unwrap_or_default().cluster,
            list: answer.members.into_iter().map(Member::from).collect(),
        }
    }
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The cluster's id.
    pub cluster: u64,
    /// Its own id.
    pub member: u64,
    /// The revision of the store it has reached.
    pub revision: u64,
    /// Its version, such as 3.5.21.
    pub version: String,
    /// The leader it follows; `None` if it knows none.
    pub leader: Option<u64>,
    /// The term it is in.
    pub raft_term: u64,
    /// The entry of the log it knows to be committed.
    pub raft_index: u64,
    /// The entry it has applied; `None` before etcd 3.4.
    pub raft_applied_index: Option<u64>,
    /// Its database on disk, bytes.
    pub db_bytes: u64,
    /// What of it is in use, bytes; `None` before etcd 3.4.
    pub db_in_use_bytes: Option<u64>,
    /// How large it may become, bytes; `None` before etcd 3.6.
    pub quota_bytes: Option<u64>,
    /// Whether it is a learner.
    pub learner: bool,
    /// What it complains of.
    pub errors: Vec<String>,
}

impl From<wire::StatusResponse> for Status {
    fn from(answer: wire::StatusResponse) -> Self {
        let header = answer.header.unwrap_or_default();
        // Absent and zero are one in protobuf; a member that runs has none of these at zero.
        let known = |value: u64| Some(value).filter(|value| *value > 0);
        let bytes = |value: i64| u64::try_from(value).unwrap_or_default();
        Self {
            cluster: header.cluster,
            member: header.member,
            revision: bytes(header.revision),
            version: answer.version,
            leader: known(answer.leader),
            raft_term: answer.raft_term,
            raft_index: answer.raft_index,
            raft_applied_index: known(answer.raft_applied_index),
            db_bytes: bytes(answer.db_size),
            db_in_use_bytes: known(bytes(answer.db_size_in_use)),
            quota_bytes: known(bytes(answer.db_size_quota)),
            learner: answer.is_learner,
            errors: answer.errors,
        }
    }
}

/// An alarm: until it is disarmed the cluster takes no writes (NOSPACE) or
/// nothing is to be believed (CORRUPT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The member that raised it.
    pub member: u64,
    /// What it is about.
    pub kind: AlarmKind,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// The database has reached its quota.
    Nospace,
    /// The member's data differ from the others'.
    Corrupt,
    /// An alarm newer than this program.
    Other(i32),
}

impl From<wire::AlarmMember> for Alarm {
    fn from(alarm: wire::AlarmMember) -> Self {
        let kind = match alarm.alarm {
            1 => AlarmKind::Nospace,
            2 => AlarmKind::Corrupt,
            other => AlarmKind::Other(other),
        };
        Self { member: alarm.member, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Members {
        let member = |id, name: &str, url: &str, learner| {
            Member::from(wire::Member {
                id,
                name: name.to_owned(),
                peer_urls: vec![url.to_owned()],
                client_urls: vec![],
                is_learner: learner,
            })
        };
        Members {
            cluster: 1,
            list: vec![
                member(1, "cp1", "https://10.0.0.21:2380", false),
                member(2, "", "https://10.0.0.22:2380", false),
                member(3, "cp3", "https://10.0.0.23:2380", true),
            ],
        }
    }

    #[test]
    fn a_member_is_found_by_the_url_of_its_peers() {
        assert_eq!(members().at_peer_url("https://10.0.0.22:2380/").unwrap().id, 2);
        assert_eq!(members().at_peer_url("https://10.0.0.24:2380"), None);
    }

    #[test]
    fn the_host_of_a_url_is_found_in_all_its_forms() {
        for (url, host) in [
            ("https://10.0.0.21:2380", Some("10.0.0.21")),
            ("http://[fd00::21]:2380/", Some("fd00::21")),
            ("https://etcd1.lan", Some("etcd1.lan")),
            ("10.0.0.21:2380", None),
            ("https://:2380", None),
        ] {
            assert_eq!(url_host(url), host, "{url}");
        }
        assert_eq!(members().at_host("10.0.0.23").map(|member| member.id).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn who_never_started_has_no_name_and_a_learner_no_vote() {
        assert!(!members().with_id(2).unwrap().started());
        assert_eq!(members().voters().map(|member| member.id).collect::<Vec<_>>(), [1, 2]);
    }
}
