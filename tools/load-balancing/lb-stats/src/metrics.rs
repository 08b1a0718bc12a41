//! The same as numbers, for whoever stores numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use cli::Context;
use files::Attributes;
use haproxy::{LbServer, LbWorker, WorkerRole};
use model::Metric;

/// Name, unit and meaning of every metric.
const METRICS: [(&str, Option<&str>, &str); 9] = [
    ("lb_server_up", None, "1 if the server gets new sessions, else 0"),
    ("lb_server_sessions", None, "Sessions the server has now"),
    ("lb_server_rate", Some("1/s"), "New sessions in the last second"),
    ("lb_server_check_failures_total", None, "Health checks that failed since the process began"),
    ("lb_server_downtime_seconds_total", Some("s"), "Time the server was down since the process began"),
    ("lb_server_last_change_seconds", Some("s"), "Time since the server's status changed"),
    ("lb_backend_up", None, "Servers of the backend that get new sessions"),
    ("lb_old_workers", None, "Worker processes of before a reload"),
    ("lb_failed_reloads", None, "Reloads in a row that failed"),
];

/// What servers and processes amount to in numbers; unknown ones are left out.
pub(crate) fn of(servers: &[LbServer], workers: &[LbWorker]) -> Vec<Metric> {
    let time = cli::rfc3339(SystemTime::now()).to_string();
    let metric = |name: &str, target: String, labels: &[(&str, &str)], value: u64| Metric {
        name: name.to_owned(),
        target,
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        value: Some(value as f64),
        unit: METRICS.iter().find(|one| one.0 == name).and_then(|one| one.1).map(str::to_owned),
        labels: labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
        time: time.clone(),
    };
    let mut metrics = Vec::new();
    for server in servers {
        let values = [
            Some(u64::from(server.status.serves())),
            Some(server.sessions),
            server.rate,
            server.check_failures,
            server.downtime_s,
            server.last_change_s,
        ];
        let labels = [("backend", server.backend.as_str()), ("server", server.server.as_str())];
        for ((name, ..), value) in METRICS.iter().zip(values) {
            let target = format!("{}/{}", server.backend, server.server);
            metrics.extend(value.map(|value| metric(name, target, &labels, value)));
        }
    }
    let backends: BTreeSet<_> = servers.iter().map(|server| server.backend.as_str()).collect();
    for backend in backends {
        let up = servers.iter().filter(|server| server.backend == backend && server.status.serves());
        metrics.push(metric("lb_backend_up", backend.to_owned(), &[("backend", backend)], up.count() as u64));
    }
    if let Some(master) = workers.iter().find(|process| process.role == WorkerRole::Master) {
        let old = workers.iter().filter(|process| process.role == WorkerRole::OldWorker).count();
        metrics.push(metric("lb_old_workers", "haproxy".into(), &[], old as u64));
        let failed = master.failed_reloads.unwrap_or_default();
        metrics.push(metric("lb_failed_reloads", "haproxy".into(), &[], failed));
    }
    metrics
}

/// Writes metrics as a Prometheus textfile.
pub(crate) fn write(file: &Path, metrics: &[Metric]) -> cli::Result<()> {
    files::replace(file, textfile(metrics).as_bytes(), &Attributes::mode(0o644)).doing("writing metrics")
}

fn textfile(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for (name, _, help) in METRICS {
        let mut series = metrics.iter().filter(|metric| metric.name == name).peekable();
        if series.peek().is_none() {
            continue;
        }
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP bareplane_{name} {help}\n# TYPE bareplane_{name} {kind}");
        for metric in series {
            let value = metric.value.unwrap_or(f64::NAN);
            let _ = writeln!(text, "bareplane_{name}{} {value}", labels(&metric.labels));
        }
    }
    text
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    // haproxy's names hold letters, digits and -_.: only; nothing needs escaping.
    let pairs: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out_and_the_textfile_groups_by_name() {
        let text = "S.3.1.0.pxname.1:K:str:api\nS.3.1.1.svname.1:K:str:cp1\nS.3.1.4.scur.1:M:u32:2\nS.3.1.17.status.1:S:str:UP\n";
        let text =
            format!("{text}{}", text.replace(".3.1.", ".3.2.").replace("cp1", "cp2").replace("UP", "DOWN"));
        let servers = haproxy::parse_servers(&text).unwrap();
        let metrics = of(&servers, &[]);
        assert!(metrics.iter().all(|metric| metric.name != "lb_server_rate"));
        assert_eq!(
            textfile(&metrics),
            "# HELP bareplane_lb_server_up 1 if the server gets new sessions, else 0
# TYPE bareplane_lb_server_up gauge
bareplane_lb_server_up{backend=\"api\",server=\"cp1\"} 1
bareplane_lb_server_up{backend=\"api\",server=\"cp2\"} 0
# HELP bareplane_lb_server_sessions Sessions the server has now
# TYPE bareplane_lb_server_sessions gauge
bareplane_lb_server_sessions{backend=\"api\",server=\"cp1\"} 2
bareplane_lb_server_sessions{backend=\"api\",server=\"cp2\"} 2
# HELP bareplane_lb_backend_up Servers of the backend that get new sessions
# TYPE bareplane_lb_backend_up gauge
bareplane_lb_backend_up{backend=\"api\"} 1
"
        );
    }
}
