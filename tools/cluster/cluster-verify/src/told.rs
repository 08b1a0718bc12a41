//! What other commands found out: records of vip-status and etcd-check.

use cli::Input;
use model::{EtcdMember, Finding, Vip};
use serde::Deserialize;
use serde_json::Value;

/// What was told, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Which host saw a virtual address how; `None` if nobody was asked.
    pub(crate) vips: Option<Vec<(Option<String>, Vip)>>,
    /// etcd's members and what was found about them; `None` if nobody was asked.
    pub(crate) etcd: Option<(Vec<EtcdMember>, Vec<Finding>)>,
}

impl Told {
    pub(crate) fn read(vip: Option<&Input>, etcd: Option<&Input>) -> cli::Result<Self> {
        Ok(Self { vips: vip.map(vips).transpose()?, etcd: etcd.map(members).transpose()? })
    }
}

fn vips(input: &Input) -> cli::Result<Vec<(Option<String>, Vip)>> {
    let mut found = Vec::new();
    for record in input.records::<Value>()? {
        found.extend(of_line(&record?));
    }
    Ok(found)
}

/// The `vip` records a line stands for: itself, or what ssh-fan kept of a host's output.
fn of_line(line: &Value) -> Vec<(Option<String>, Vip)> {
    let host = line["host"].as_str().map(str::to_owned);
    let vip = |value: &Value| Some((host.clone(), record::<Vip>(value, "vip")?));
    match line["record"].as_str() {
        Some("ssh-result") => {
            let printed = line["stdout"].as_str().unwrap_or_default();
            printed.lines().filter_map(|line| vip(&serde_json::from_str(line).ok()?)).collect()
        }
        _ => vip(line).into_iter().collect(),
    }
}

fn members(input: &Input) -> cli::Result<(Vec<EtcdMember>, Vec<Finding>)> {
    let (mut members, mut findings) = (Vec::new(), Vec::new());
    for line in input.records::<Value>()? {
        let line = line?;
        members.extend(record::<EtcdMember>(&line, "etcd-member"));
        findings.extend(record::<Finding>(&line, "finding").filter(|finding| finding.tool == "etcd-check"));
    }
    Ok((members, findings))
}

/// A record of one type; `None` of any other.
fn record<T: for<'de> Deserialize<'de>>(value: &Value, name: &str) -> Option<T> {
    (value["record"] == name).then(|| T::deserialize(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vip() -> Value {
        json!({"record": "vip", "vip": "10.77.0.100", "verdict": "one", "local": true, "interface": "eth0",
            "holders": [], "state": null, "agrees": null, "instance": null, "priority": null, "since": null,
            "transitions_1h": null, "check_file": null})
    }

    #[test]
    fn a_record_is_taken_alone_with_its_host_and_out_of_what_ssh_fan_kept() {
        assert_eq!(of_line(&vip())[0].0, None);
        let mut passed_on = vip();
        passed_on["host"] = "lb1".into();
        assert_eq!(of_line(&passed_on)[0].0.as_deref(), Some("lb1"));
        let kept = json!({"record": "ssh-result", "host": "lb2", "stdout": format!("{}\nnoise\n", vip())});
        assert_eq!(of_line(&kept).len(), 1);
        assert_eq!(of_line(&kept)[0].0.as_deref(), Some("lb2"));
    }

    #[test]
    fn other_records_are_passed_over() {
        for other in [json!({"record": "step"}), json!({"record": "ssh-result", "host": "x"}), json!(3)] {
            assert!(of_line(&other).is_empty(), "{other}");
        }
    }
}
