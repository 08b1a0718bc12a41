//! One balancer's setup: what the templates fill in.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ha::{Detection, Timing, Version};
use net::Family;
use platform::{CheckMode, Host, LoadBalancing, Platform};
use serde::Serialize;

/// What the document does not say.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Render static pods for a kubelet instead of drop-ins for systemd's services
    #[arg(long, requires = "keepalived_image")]
    static_pod: bool,
    /// The image of haproxy's pod
    #[arg(long, value_name = "IMAGE", default_value = "docker.io/library/haproxy:2.6")]
    haproxy_image: String,
    /// The image of keepalived's pod
    #[arg(long, value_name = "IMAGE")]
    keepalived_image: Option<String>,
    /// The version of haproxy on the balancers, 2.2 or later
    #[arg(long, value_name = "VERSION", default_value = "2.6")]
    haproxy_version: HaproxyVersion,
    /// The folder that stands for /etc on the balancers
    #[arg(long, value_name = "DIR", default_value = "/etc", value_parser = absolute)]
    etc_dir: String,
    /// The folder that stands for /run on the balancers
    #[arg(long, value_name = "DIR", default_value = "/run", value_parser = absolute)]
    run_dir: String,
    /// Where ha-vipcheck and ha-notify are on the balancers
    #[arg(long, value_name = "DIR", default_value = "/usr/bin", value_parser = absolute)]
    tools_dir: String,
}

/// A path that every program understands the same, unquoted.
fn absolute(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    match text.strip_suffix('/').unwrap_or(text) {
        path if path.starts_with('/') && path.chars().all(plain) && !path.contains("..") => {
            Ok(path.to_owned())
        }
        _ => Err("must be an absolute path of letters, digits and ._-+:@".to_owned()),
    }
}

/// A version of haproxy that can be rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HaproxyVersion(u32, u32);

impl FromStr for HaproxyVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) if Self(major, minor) >= Self(2, 2) => Ok(Self(major, minor)),
            (Some(_), Some(_)) => Err("older than 2.2, the first that sends a check's headers".to_owned()),
            _ => Err("not MAJOR.MINOR, such as 2.6".to_owned()),
        }
    }
}

/// Why a balancer cannot be rendered for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The document has no `load_balancing` block, no such balancer, or no address.
    Missing(String),
    /// A host has no address of a family that a virtual address has.
    Address(String, Family),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Address(host, family) => {
                write!(f, "{host} has no {family:?} address, but a virtual address is {family:?}")
            }
        }
    }
}

impl std::error::Error for Trouble {}

/// One balancer's setup.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a template asks yes or no")]
pub(crate) struct Setup {
    pub(crate) node: String,
    pub(crate) static_pod: bool,
    pub(crate) watch: bool,
    interface: String,
    port: u16,
    health_port: u16,
    vrid: u8,
    pub(crate) priority: u8,
    pub(crate) advert_ms: u32,
    advert_s: String,
    pub(crate) preempt: bool,
    /// Whether there are two families.
    dual: bool,
    families: Vec<FamilySetup>,
    servers: Vec<Server>,
    /// The loopback address haproxy listens on, as it stands in a URL.
    loopback: &'static str,
    check: Check,
    pub(crate) paths: Paths,
    images: Images,
    /// Whether haproxy knows the times of TCP keep-alives (2.4).
    keepalive_times: bool,
}

/// A virtual address and the instance that moves it.
#[derive(Debug, Serialize)]
struct FamilySetup {
    instance: &'static str,
    v6: bool,
    wildcard: &'static str,
    vip: IpAddr,
    bits: u8,
    source: IpAddr,
    peers: Vec<IpAddr>,
}

#[derive(Debug, Serialize)]
struct Server {
    name: String,
    address: SocketAddr,
}

#[derive(Debug, Serialize)]
struct Check {
    interval_ms: u32,
    timeout_ms: u32,
    interval_s: u32,
    rise: u32,
    fall: u32,
}

#[derive(Debug, Serialize)]
struct Images {
    haproxy: String,
    keepalived: Option<String>,
}

/// Where things are on the balancer.
#[derive(Debug, Serialize)]
pub(crate) struct Paths {
    pub(crate) etc: String,
    run: String,
    tools: String,
    state: String,
    track: String,
    fifo: String,
    socket: String,
    master: String,
    pidfile: String,
    ca: String,
    haproxy_dir: String,
    pub(crate) haproxy: String,
    keepalived_dir: String,
    pub(crate) keepalived: String,
}

impl Setup {
    /// The setup of one balancer of a platform.
    pub(crate) fn new(platform: &Platform, name: &str, options: &Options) -> Result<Self, Trouble> {
        let missing = |what: &str| Trouble::Missing(what.to_owned());
        let balancing = platform.load_balancing.as_ref().ok_or_else(|| missing("load_balancing"))?;
        let host = platform.host(name).ok_or_else(|| missing(name))?;
        let families = families(platform, host)?;
        let first = families.first().ok_or_else(|| missing("network.vips"))?;
        let mut advert_s = format!("{:.2}", f64::from(balancing.advert_ms) / 1000.0);
        advert_s.truncate(advert_s.trim_end_matches('0').trim_end_matches('.').len());
        Ok(Self {
            node: name.to_owned(),
            static_pod: options.static_pod,
            watch: balancing.check.mode == CheckMode::TrackFile,
            interface: host.interface.clone().ok_or_else(|| missing(&format!("{name}'s interface")))?,
            port: platform.balanced_port(),
            health_port: balancing.health_port,
            vrid: balancing.vrid,
            priority: host.priority.ok_or_else(|| missing(&format!("{name}'s priority")))?,
            advert_ms: balancing.advert_ms,
            advert_s,
            preempt: balancing.preempt,
            dual: families.len() > 1,
            loopback: if first.v6 { "[::1]" } else { "127.0.0.1" },
            families,
            servers: servers(platform)?,
            check: Check::of(balancing),
            paths: Paths::new(balancing, options),
            images: Images {
                haproxy: options.haproxy_image.clone(),
                keepalived: options.keepalived_image.clone(),
            },
            keepalive_times: options.haproxy_version >= HaproxyVersion(2, 4),
        })
    }

    /// The timers of a failover to a balancer of this priority.
    pub(crate) fn timing(&self, priority: u8) -> Timing {
        let Check { interval_ms, timeout_ms, interval_s, fall, .. } = self.check;
        let detection = if self.watch {
            Detection::Watch { interval_ms, timeout_ms, fall }
        } else {
            Detection::Script { interval_ms: interval_s * 1000, timeout_ms: 800, fall, weighted: false }
        };
        Timing { version: Version::V3, advert_ms: self.advert_ms, priority, preempt: self.preempt, detection }
    }
}

fn families(platform: &Platform, host: &Host) -> Result<Vec<FamilySetup>, Trouble> {
    let one = |vip: &IpAddr| {
        let family = Family::of(*vip);
        let address =
            |host: &Host| host.address(family).ok_or_else(|| Trouble::Address(host.name.clone(), family));
        let others = platform.balancers().filter(|other| other.name != host.name);
        let v6 = vip.is_ipv6();
        Ok(FamilySetup {
            instance: if v6 { "VI_6" } else { "VI_4" },
            v6,
            wildcard: if v6 { "[::]" } else { "*" },
            vip: *vip,
            bits: if v6 { 128 } else { 32 },
            source: address(host)?,
            peers: others.map(address).collect::<Result<_, _>>()?,
        })
    };
    platform.network.vips.iter().map(one).collect()
}

/// The API servers, asked over IPv4 where they have both.
fn servers(platform: &Platform) -> Result<Vec<Server>, Trouble> {
    let one = |host: &Host| {
        let address =
            host.addresses().next().ok_or_else(|| Trouble::Missing(format!("{}'s address", host.name)))?;
        Ok(Server { name: host.name.clone(), address: (address, platform.network.api_port).into() })
    };
    platform.control_planes().map(one).collect()
}

impl Check {
    fn of(balancing: &LoadBalancing) -> Self {
        let platform::Check { interval_ms, rise, fall, .. } = balancing.check;
        Self {
            interval_ms,
            // Longer than the pause between two questions: one late answer on a
            // busy machine is no failure.
            timeout_ms: 2 * interval_ms,
            interval_s: interval_ms.div_ceil(1000),
            rise,
            fall,
        }
    }
}

impl Paths {
    fn new(balancing: &LoadBalancing, options: &Options) -> Self {
        let Options { etc_dir: etc, run_dir: run, tools_dir: tools, .. } = options;
        // What the document places below /etc or /run moves with them.
        let moved = |path: &str| match path.strip_prefix("/run/") {
            Some(rest) => format!("{run}/{rest}"),
            None => {
                path.strip_prefix("/etc/").map_or_else(|| path.to_owned(), |rest| format!("{etc}/{rest}"))
            }
        };
        Self {
            etc: etc.clone(),
            run: run.clone(),
            tools: tools.clone(),
            state: format!("{run}/bareplane"),
            track: format!("{run}/bareplane/vip.track"),
            fifo: format!("{run}/bareplane/vrrp.fifo"),
            socket: moved(&balancing.stats_socket),
            master: format!("{run}/haproxy-master.sock"),
            pidfile: format!("{run}/haproxy.pid"),
            ca: moved(&balancing.ca_file),
            haproxy_dir: format!("{etc}/haproxy"),
            haproxy: format!("{etc}/haproxy/haproxy.cfg"),
            keepalived_dir: format!("{etc}/keepalived"),
            keepalived: format!("{etc}/keepalived/keepalived.conf"),
        }
    }
}

/// For tests of other modules: what the command line says when it says nothing.
#[cfg(test)]
pub(crate) fn options(words: &[&str]) -> Options {
    use clap::Parser;
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }
    Line::parse_from(std::iter::once(&"lb-render").chain(words)).options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_haproxy_are_compared_as_numbers() {
        assert!("2.10".parse::<HaproxyVersion>().unwrap() > "2.6".parse().unwrap());
        assert!("2.1".parse::<HaproxyVersion>().is_err());
        assert!("two".parse::<HaproxyVersion>().is_err());
        assert!("3.0.1".parse::<HaproxyVersion>().is_ok());
    }

    #[test]
    fn paths_that_would_need_quotes_are_refused() {
        assert_eq!(absolute("/tmp/lab/lb1/").unwrap(), "/tmp/lab/lb1");
        for path in ["run", "/a b", "/a\"", "/a/../b", "/a#"] {
            assert!(absolute(path).is_err(), "{path}");
        }
    }
}
