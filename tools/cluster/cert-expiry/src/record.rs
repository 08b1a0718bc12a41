//! Certificates as records.

use std::time::SystemTime;

use crate::source::{Place, Scan, Seen};

/// A record for every certificate.
pub(crate) fn records(scan: &Scan, at: SystemTime) -> Vec<model::Certificate> {
    scan.seen
        .iter()
        .flat_map(|seen| (0_u32..).zip(&seen.chain).map(move |one| record(seen, one, at)))
        .collect()
}

fn record(seen: &Seen, (position, own): (u32, &x509::Certificate), at: SystemTime) -> model::Certificate {
    let (field, leads_to) = match &seen.place {
        Place::Kubeconfig { field, .. } => (Some(field.clone()), None),
        Place::File { leads_to, .. } => (None, leads_to.as_ref().map(|path| path.display().to_string())),
        Place::Server(_) => (None, None),
    };
    let addresses = own.addresses.iter().map(ToString::to_string);
    model::Certificate {
        source: seen.source.clone(),
        field,
        leads_to,
        position,
        subject: own.subject.clone(),
        issuer: own.issuer.clone(),
        serial: own.serial.clone(),
        not_before: moment(own.not_before),
        not_after: moment(own.not_after),
        remaining_s: remaining(own.not_after, at),
        sans: own.names.iter().cloned().chain(addresses).collect(),
        is_ca: own.is_ca,
        key: own.key.clone(),
        sha256: own.sha256.clone(),
    }
}

/// Certificates count whole seconds.
pub(crate) fn moment(time: SystemTime) -> String {
    cli::rfc3339(time).to_string().replace(".000Z", "Z")
}

/// Seconds from one time to another; negative if the first is over.
pub(crate) fn remaining(end: SystemTime, at: SystemTime) -> i64 {
    let seconds = |distance: std::time::Duration| i64::try_from(distance.as_secs()).unwrap_or(i64::MAX);
    match end.duration_since(at) {
        Ok(left) => seconds(left),
        Err(over) => -seconds(over.duration()),
    }
}
