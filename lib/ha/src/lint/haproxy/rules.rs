//! What a haproxy.cfg in front of API servers gets wrong: want, why, fix, source.

use model::Severity::{Critical, High, Low, Medium};

use crate::lint::rule::{Rule, fail, warn};

pub(super) const CHECK_OVERRIDDEN: Rule = fail(
    "check-overridden",
    High,
    [
        "one check option",
        "the last check option of a backend wins: the HTTP question is never asked, and an API server that answers 500 stays up",
        "remove this line and add `check-ssl` to the servers",
        "haproxy configuration manual, option ssl-hello-chk",
    ],
);
pub(super) const CHECK_SHALLOW: Rule = fail(
    "check-shallow",
    High,
    [
        "option httpchk with /readyz",
        "a hung API server still accepts connections and handshakes: only an HTTP answer shows that it works",
        "use `option httpchk`, `http-check send meth GET uri /readyz` and `http-check expect status 200`",
        "mysticaltech/terraform-hcloud-kube-hetzner#2176",
    ],
);
pub(super) const CHECK_PATH: Rule = warn(
    "check-path",
    Medium,
    [
        "/readyz",
        "this path stays healthy while an API server is shutting down: clients are sent to it until it refuses them",
        "ask /readyz",
        "kubernetes/kubernetes#88911",
    ],
);
pub(super) const CHECK_PLAIN: Rule = fail(
    "check-plain",
    High,
    [
        "check-ssl",
        "without `check-ssl` the check speaks plain HTTP to a TLS port",
        "add `check-ssl verify required ca-file CA` to `default-server`",
        "haproxy configuration manual, check-ssl",
    ],
);
pub(super) const CHECK_UNVERIFIED: Rule = warn(
    "check-unverified",
    Medium,
    [
        "verify required ca-file CA",
        "any process on the port passes the check, whatever certificate it shows",
        "use `verify required` with the cluster's CA",
        "haproxy configuration manual, verify",
    ],
);
pub(super) const CHECK_MISSING: Rule = fail(
    "check-missing",
    Critical,
    [
        "check",
        "a server without `check` is never taken out of rotation: its share of the requests fails for as long as it is down",
        "add `check`",
        "haproxy configuration manual, check",
    ],
);
pub(super) const CHECK_SLOW: Rule = fail(
    "check-slow",
    High,
    [
        "5 s at most from silence to down",
        "a server that falls silent keeps its share of new connections for this long",
        "set `inter 1s fastinter 200ms fall 2` and `timeout check 1s`",
        "haproxy configuration manual, inter",
    ],
);
pub(super) const TIMEOUT_SHORT: Rule = fail(
    "timeout-short",
    High,
    [
        "1h",
        "a watch, `logs -f` or exec that says nothing for this long is cut",
        "set it to 1h or more",
        "kubernetes/kubeadm#1685",
    ],
);
pub(super) const TIMEOUT_MISSING: Rule = fail(
    "timeout-missing",
    High,
    [
        "timeout client, server and connect",
        "without it dead connections are kept for ever",
        "set `timeout connect 100ms`, `timeout client 1h`, `timeout server 1h`",
        "haproxy configuration manual, timeout",
    ],
);
pub(super) const CONNECT_SLOW: Rule = warn(
    "connect-slow",
    Medium,
    [
        "1s or less",
        "a new connection to a silent server waits this long before another one is tried; clients give up first",
        "set `timeout connect 100ms`: on one site a server answers SYN within a few",
        "haproxy configuration manual, timeout connect",
    ],
);
pub(super) const REDISPATCH: Rule = fail(
    "redispatch",
    High,
    [
        "option redispatch 1",
        "a connection that fails is tried again on the same dead server",
        "add `option redispatch 1` and `retries 3`",
        "haproxy configuration manual, option redispatch",
    ],
);
pub(super) const SESSIONS_KEPT: Rule = warn(
    "sessions-kept",
    Medium,
    [
        "on-marked-down shutdown-sessions",
        "clients of a server that fell silent hang until their own TCP gives up: up to 15 minutes",
        "add `on-marked-down shutdown-sessions` to `default-server`",
        "kubernetes/kubernetes#48638",
    ],
);
pub(super) const KEEPALIVE: Rule = warn(
    "tcp-keepalive",
    Low,
    [
        "option clitcpka and option srvtcpka",
        "with timeouts long enough for watches, only keep-alives find peers that vanished",
        "add both options",
        "haproxy configuration manual, option clitcpka",
    ],
);
pub(super) const BALANCE: Rule = warn(
    "balance",
    Low,
    [
        "balance leastconn",
        "API connections live for hours: taken in turn they pile up on whichever server was up longest, and a hung one gets its full share",
        "use `balance leastconn`",
        "haproxy configuration manual, balance",
    ],
);
pub(super) const SOCKET: Rule = warn(
    "stats-socket",
    Medium,
    [
        "stats socket PATH mode 600 level admin expose-fd listeners",
        "without a runtime socket nothing can drain a server, see what haproxy sees, or tell a hung haproxy from a dead API server",
        "add a `stats socket` to `global`",
        "haproxy/haproxy#1803",
    ],
);
pub(super) const HARD_STOP: Rule = warn(
    "hard-stop",
    Low,
    [
        "hard-stop-after 5m",
        "after each reload the old worker stays for as long as its longest watch",
        "add `hard-stop-after` to `global`",
        "haproxy/haproxy#1876",
    ],
);
pub(super) const BIND_ADDRESS: Rule = warn(
    "bind-address",
    High,
    [
        "bind *:PORT, or transparent",
        "a balancer that does not hold the address cannot bind it, so haproxy does not start there unless ip_nonlocal_bind is set",
        "bind the wildcard address, add `transparent`, or set net.ipv4.ip_nonlocal_bind (and its IPv6 twin) to 1",
        "acassen/keepalived#2485",
    ],
);
pub(super) const PORT_CLASH: Rule = fail(
    "port-clash",
    Critical,
    [
        "another port",
        "an API server on this machine listens on the same port: one of the two does not start, and `haproxy -c` does not see it",
        "move the balancer to another port, or the API server to another address",
        "",
    ],
);
