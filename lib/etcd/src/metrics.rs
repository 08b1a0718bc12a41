//! The few metrics that say what the API does not.

/// What `/metrics` of a member tells; each is `None` if it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The member they are of, its id.
    pub member: Option<u64>,
    /// How large the database may become, bytes.
    pub quota_bytes: Option<u64>,
    /// How often the leader changed since the process began, the first election included.
    pub leader_changes: Option<u64>,
    /// When the process began, seconds since 1970.
    pub started_unix_s: Option<f64>,
}

impl Metrics {
    /// From the text format of Prometheus; whatever else it holds is passed over.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(' ') else { continue };
            let Ok(value) = value.trim().parse::<f64>() else { continue };
            if let Some(id) = name.strip_prefix("etcd_server_id{server_id=\"") {
                found.member = id.strip_suffix("\"}").and_then(|id| u64::from_str_radix(id, 16).ok());
            }
            match name {
                "etcd_server_quota_backend_bytes" => found.quota_bytes = whole(value),
                "etcd_server_leader_changes_seen_total" => found.leader_changes = whole(value),
                "process_start_time_seconds" if value.is_finite() => found.started_unix_s = Some(value),
                _ => {}
            }
        }
        found
    }
}

/// Prometheus knows only floating point: 2.147483648e+09.
fn whole(value: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, as just seen")]
    (0.0..=9e15).contains(&value).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_any_notation_are_read_and_comments_passed_over() {
        let text = "# TYPE etcd_server_quota_backend_bytes gauge\netcd_server_quota_backend_bytes 2.147483648e+09\n\
            etcd_server_leader_changes_seen_total 3\netcd_server_id{server_id=\"b5179d13d0285315\"} 1\n\
            process_start_time_seconds 1.7e+09\nother{a=\"b c\"} 1\n";
        let found = Metrics::parse(text);
        assert_eq!((found.quota_bytes, found.leader_changes), (Some(2 << 30), Some(3)));
        assert_eq!(found.member, Some(0xb517_9d13_d028_5315));
        assert_eq!(found.started_unix_s, Some(1.7e9));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text: String, number: f64) {
            Metrics::parse(&text);
            Metrics::parse(&format!("etcd_server_quota_backend_bytes {number}"));
        }
    }
}
