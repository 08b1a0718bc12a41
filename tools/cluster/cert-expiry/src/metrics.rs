//! What there is for Prometheus.

use std::collections::BTreeSet;

use cli::Series;
use model::{Certificate, Finding, Status};

/// When each certificate ends, and how many findings there are.
pub(crate) fn series<'a>(records: &[Certificate], findings: &[Finding]) -> Vec<Series<'a>> {
    let mut known = BTreeSet::new();
    let ends = records.iter().filter(|record| known.insert((&record.source, &record.field, &record.serial)));
    let ends = ends.map(|record| {
        let labels = vec![
            ("source", record.source.clone()),
            ("field", record.field.clone().unwrap_or_default()),
            ("subject", record.subject.clone()),
            ("serial", record.serial.clone()),
        ];
        (labels, record.not_after.parse::<cli::Timestamp>().map_or(f64::NAN, unix))
    });
    let count = |statuses: &[Status]| {
        let count = findings.iter().filter(|finding| statuses.contains(&finding.status)).count();
        vec![(Vec::new(), f64::from(u32::try_from(count).unwrap_or(u32::MAX)))]
    };
    vec![
        Series {
            name: "cert_expiry_not_after_timestamp_seconds",
            help: "When the certificate ends.",
            values: ends.collect(),
        },
        Series { name: "cert_expiry_warnings", help: "Findings that warn.", values: count(&[Status::Warn]) },
        Series {
            name: "cert_expiry_failures",
            help: "Findings that fail, or servers that did not answer.",
            values: count(&[Status::Fail, Status::Unknown]),
        },
    ]
}

fn unix(time: cli::Timestamp) -> f64 {
    let since = std::time::SystemTime::from(time).duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
