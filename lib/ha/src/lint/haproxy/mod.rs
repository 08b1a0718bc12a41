//! Judges a haproxy.cfg that stands in front of API servers.

mod rules;
mod view;

use std::net::{IpAddr, SocketAddr};

use conf::haproxy::{Config, Line};
use view::{Proxy, duration_ms};

use super::Report;

/// Check options, of which the last wins.
const CHECKS: [&str; 9] = [
    "httpchk",
    "ssl-hello-chk",
    "tcp-check",
    "ldap-check",
    "mysql-check",
    "pgsql-check",
    "redis-check",
    "smtpchk",
    "external-check",
];

const HOUR_MS: f64 = 3_600_000.0;

pub(super) fn judge(config: &Config, own: &[IpAddr], report: &mut Report) {
    let proxies = Proxy::all(config);
    let served: Vec<_> =
        proxies.iter().filter(|proxy| proxy.is_tcp() && proxy.servers().next().is_some()).collect();
    for proxy in &served {
        check(proxy, report);
        servers(proxy, report);
        detection(proxy, report);
        connections(proxy, report);
    }
    for proxy in proxies.iter().filter(|proxy| proxy.is_tcp() && proxy.section.last(&["bind"]).is_some()) {
        timeout(proxy, "client", report);
        if proxy.option("clitcpka").is_none() {
            report.say(&rules::KEEPALIVE, Some(proxy.section.head.number), "no option clitcpka");
        }
        for line in proxy.section.find(&["bind"]) {
            bind(line, &served, own, report);
        }
    }
    global(config, report);
}

/// Which question is asked.
fn check(proxy: &Proxy, report: &mut Report) {
    let chosen =
        proxy.lines().filter(|line| line.keyword() == "option" && CHECKS.contains(&line.word(1))).last();
    let asked = proxy.option("httpchk");
    match (asked, chosen) {
        (Some(asked), Some(chosen)) if chosen.word(1) != "httpchk" => {
            let current = format!("{} (overrides line {})", chosen.statement(), asked.number);
            report.say(&rules::CHECK_OVERRIDDEN, Some(chosen.number), current);
        }
        (None, Some(chosen)) => report.say(&rules::CHECK_SHALLOW, Some(chosen.number), chosen.statement()),
        (None, None) => report.say(&rules::CHECK_SHALLOW, Some(proxy.section.head.number), "TCP connect"),
        _ => {}
    }
    let Some(asked) = asked else { return };
    let sent = proxy.last(&["http-check", "send"]);
    let path = sent
        .and_then(|line| Some((line, line.value("uri")?)))
        .or_else(|| asked.words().skip(2).find(|word| word.starts_with('/')).map(|path| (asked, path)));
    let (line, path) = path.unwrap_or((asked, "/"));
    if !path.starts_with("/readyz") {
        report.say(&rules::CHECK_PATH, Some(line.number), path);
    }
    for server in proxy.servers() {
        if !proxy.has(server, "check-ssl") && !proxy.has(server, "ssl") {
            return report.say(&rules::CHECK_PLAIN, Some(server.number), server.statement());
        }
    }
}

/// What stands on the lines of the servers.
fn servers(proxy: &Proxy, report: &mut Report) {
    for server in proxy.servers() {
        if !proxy.has(server, "check") {
            report.say(&rules::CHECK_MISSING, Some(server.number), server.statement());
        }
        // ssl-server-verify in `global` is "required" unless it says otherwise.
        if proxy.value(server, "verify") == Some("none") {
            report.say(&rules::CHECK_UNVERIFIED, Some(server.number), "verify none");
        }
    }
    if let Some(server) =
        proxy.servers().find(|server| proxy.value(server, "on-marked-down") != Some("shutdown-sessions"))
    {
        report.say(&rules::SESSIONS_KEPT, Some(server.number), "");
    }
}

/// How long a server that falls silent stays in rotation.
fn detection(proxy: &Proxy, report: &mut Report) {
    let Some(server) = proxy.servers().find(|server| proxy.has(server, "check")) else { return };
    let time = |name: &str| proxy.value(server, name).and_then(duration_ms);
    let inter = time("inter").unwrap_or(2000.0);
    let fast = time("fastinter").unwrap_or(inter);
    let fall = proxy.value(server, "fall").and_then(|fall| fall.parse().ok()).unwrap_or(3.0_f64);
    let connect = proxy.timeout("connect").map_or(inter, |(_, connect)| connect.min(inter));
    let one = proxy.timeout("check").map_or(inter, |(_, check)| connect + check);
    let all = inter + fall * one + (fall - 1.0).max(0.0) * fast;
    if all > 5000.0 {
        let line = proxy.timeout("check").map_or(server.number, |(line, _)| line.number);
        report.say(&rules::CHECK_SLOW, Some(line), format!("up to {:.1} s", all / 1000.0));
    }
}

/// What happens to connections.
fn connections(proxy: &Proxy, report: &mut Report) {
    let head = Some(proxy.section.head.number);
    timeout(proxy, "server", report);
    match proxy.timeout("connect") {
        None => report.say(&rules::TIMEOUT_MISSING, head, "no timeout connect"),
        Some((line, ms)) if ms > 1000.0 => {
            report.say(&rules::CONNECT_SLOW, Some(line.number), line.statement());
        }
        Some(_) => {}
    }
    if proxy.option("redispatch").is_none() && proxy.servers().count() > 1 {
        report.say(&rules::REDISPATCH, head, "no option redispatch");
    }
    if proxy.option("srvtcpka").is_none() {
        report.say(&rules::KEEPALIVE, head, "no option srvtcpka");
    }
    match proxy.last(&["balance"]) {
        Some(line) if line.word(1) == "leastconn" => {}
        Some(line) => report.say(&rules::BALANCE, Some(line.number), line.statement()),
        None => report.say(&rules::BALANCE, head, "roundrobin"),
    }
}

fn timeout(proxy: &Proxy, side: &str, report: &mut Report) {
    match proxy.timeout(side) {
        None => {
            report.say(
                &rules::TIMEOUT_MISSING,
                Some(proxy.section.head.number),
                format!("no timeout {side}"),
            );
        }
        // Once data flows both ways, `timeout tunnel` counts instead.
        Some((line, ms))
            if ms < HOUR_MS && proxy.timeout("tunnel").is_none_or(|(_, tunnel)| tunnel < HOUR_MS) =>
        {
            report.say(&rules::TIMEOUT_SHORT, Some(line.number), line.statement());
        }
        Some(_) => {}
    }
}

/// Where it listens.
fn bind(line: &Line, served: &[&Proxy], own: &[IpAddr], report: &mut Report) {
    for place in line.word(1).split(',') {
        let Some((host, port)) = place.rsplit_once(':') else { continue };
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if address.is_some_and(|address| {
            !address.is_unspecified() && !address.is_loopback() && !own.contains(&address)
        }) && !line.has("transparent")
        {
            report.say(&rules::BIND_ADDRESS, Some(line.number), line.statement());
        }
        let here = |server: &SocketAddr| server.ip().is_loopback() || own.contains(&server.ip());
        let clash = |server: &SocketAddr| {
            server.port().to_string() == port
                && address.is_none_or(|a| a.is_unspecified() || a == server.ip())
        };
        let servers = served.iter().flat_map(|proxy| proxy.servers());
        let addresses = servers.filter_map(|server| server.word(2).parse::<SocketAddr>().ok());
        if let Some(server) = addresses.into_iter().find(|server| here(server) && clash(server)) {
            report.say(
                &rules::PORT_CLASH,
                Some(line.number),
                format!("{} and server {server}", line.statement()),
            );
        }
    }
}

fn global(config: &Config, report: &mut Report) {
    let global = config.sections("global").last();
    let line = global.map(|section| section.head.number);
    match global.and_then(|section| section.last(&["stats", "socket"])) {
        None => report.say(&rules::SOCKET, line, "no stats socket"),
        Some(socket) if !socket.has("expose-fd") => {
            report.say(&rules::SOCKET, Some(socket.number), socket.statement());
        }
        Some(_) => {}
    }
    if global.is_none_or(|section| section.last(&["hard-stop-after"]).is_none()) {
        report.say(&rules::HARD_STOP, line, "no hard-stop-after");
    }
}
