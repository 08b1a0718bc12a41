//! VRRP instances as keepalived will run them.

use std::net::IpAddr;

use conf::keepalived::{Config, Node};

use crate::{Detection, Timing, Version};

/// An instance, with what it inherits.
pub(in crate::lint) struct Instance<'a> {
    pub(in crate::lint) node: &'a Node,
    pub(in crate::lint) version: Version,
    pub(in crate::lint) advert_ms: u32,
    pub(in crate::lint) priority: u8,
    group: Option<&'a Node>,
}

/// Something an instance or its sync group follows.
pub(super) struct Track<'a> {
    pub(super) kind: &'a str,
    pub(super) node: &'a Node,
}

impl<'a> Instance<'a> {
    pub(in crate::lint) fn all(config: &'a Config) -> Vec<Self> {
        let global = config.find("global_defs").filter_map(|node| node.get("vrrp_version")).last();
        config.find("vrrp_instance").map(|node| Self::of(node, global, config)).collect()
    }

    fn of(node: &'a Node, global: Option<&Node>, config: &'a Config) -> Self {
        let advert = node.get("advert_int").and_then(|advert| milliseconds(advert.word(1)));
        let group = config.find("vrrp_sync_group").find(|group| {
            group.get("group").is_some_and(|group| {
                group.nodes().iter().any(|member| member.words().any(|name| name == node.word(1)))
            })
        });
        let mut instance = Self {
            node,
            version: Version::V2,
            advert_ms: advert.unwrap_or(1000),
            // keepalived's own default.
            priority: node.get("priority").and_then(|priority| priority.word(1).parse().ok()).unwrap_or(100),
            group,
        };
        let version = node.get("version").or(global).map(|version| version.word(1));
        let ipv6 = instance.addresses().iter().any(|(_, address)| address.is_ipv6());
        if version == Some("3") || ipv6 {
            instance.version = Version::V3;
        }
        instance
    }

    /// The virtual addresses and their lines.
    pub(in crate::lint) fn addresses(&self) -> Vec<(u32, IpAddr)> {
        let block = self.node.get("virtual_ipaddress").map_or(&[][..], Node::nodes);
        let address = |node: &Node| Some((node.line, node.keyword().split('/').next()?.parse().ok()?));
        block.iter().filter_map(address).collect()
    }

    /// The address its adverts come from, if it is written down.
    pub(in crate::lint) fn source(&self) -> Option<IpAddr> {
        self.node.get("unicast_src_ip")?.word(1).parse().ok()
    }

    /// The peers it sends adverts to.
    pub(in crate::lint) fn peers(&self) -> Vec<IpAddr> {
        let block = self.node.get("unicast_peer").map_or(&[][..], Node::nodes);
        block.iter().filter_map(|node| node.keyword().parse().ok()).collect()
    }

    pub(in crate::lint) fn nopreempt(&self) -> bool {
        self.node.get("nopreempt").is_some()
    }

    /// Its timers; what it follows is not part of them.
    pub(in crate::lint) fn timing(&self) -> Timing {
        Timing {
            version: self.version,
            advert_ms: self.advert_ms,
            priority: self.priority,
            preempt: !self.nopreempt(),
            detection: Detection::Blind,
        }
    }

    /// What it follows, by itself or through its sync group.
    pub(super) fn tracks(&self) -> Vec<Track<'a>> {
        let owners = [Some(self.node), self.group].into_iter().flatten();
        let blocks = owners
            .flat_map(conf::keepalived::Node::nodes)
            .filter(|node| node.keyword().starts_with("track_"));
        blocks
            .flat_map(|block| block.nodes().iter().map(|node| Track { kind: block.keyword(), node }))
            .collect()
    }
}

/// The scripts and files an instance can follow, and their weights.
pub(super) struct Scripts<'a>(Vec<&'a Node>);

impl<'a> Scripts<'a> {
    pub(super) fn of(config: &'a Config) -> Self {
        let named = |node: &&Node| matches!(node.keyword(), "vrrp_script" | "track_file" | "vrrp_track_file");
        Self(config.nodes.iter().filter(named).collect())
    }

    /// The weight with which something is followed: the follower's, or the script's own.
    pub(super) fn weight(&self, track: &Track) -> i32 {
        let words: Vec<_> = track.node.words().collect();
        let own =
            words.iter().position(|word| *word == "weight").and_then(|at| words.get(at + 1)?.parse().ok());
        let name = track.node.keyword();
        let defined = || {
            let node = self.0.iter().find(|node| node.word(1) == name)?;
            node.get("weight").map(|weight| weight.word(1).parse().unwrap_or(1))
        };
        // A track_file without a weight counts with weight 1 (keepalived.conf(5)).
        own.or_else(defined).unwrap_or(i32::from(track.kind == "track_file"))
    }
}

/// Seconds, perhaps with a fraction, as milliseconds.
fn milliseconds(seconds: &str) -> Option<u32> {
    let seconds: f64 = seconds.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range just tested"
    )]
    (0.0..=255.0).contains(&seconds).then(|| (seconds * 1000.0).round() as u32)
}
