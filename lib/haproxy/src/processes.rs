//! `show proc` of the master socket.
//!
//! ```text
//! #<PID>          <type>          <reloads>       <uptime>        <version>
//! 20115           master          1 [failed: 0]   0d00h10m00s     2.6.12-1+deb12u4
//! # workers
//! 5282            worker          0               0d00h00m00s     2.6.12-1+deb12u4
//! # old workers
//! 20116           worker          1               0d00h10m00s     2.6.12-1+deb12u4
//! # programs
//! ```

use model::{LbWorker, WorkerRole};

use crate::Error;
use crate::socket::first_line;

/// Reads the answer to `show proc`.
///
/// # Errors
/// Fails if it is not one, or lacks the master.
pub fn parse(answer: &str) -> Result<Vec<LbWorker>, Error> {
    let mut old = false;
    let mut processes = Vec::new();
    for line in answer.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(section) = line.strip_prefix('#') {
            old = section.trim_start().starts_with("old");
        } else {
            processes.push(row(line, old).ok_or_else(|| Error::Garbled(first_line(line)))?);
        }
    }
    if processes.iter().any(|process| process.role == WorkerRole::Master) {
        Ok(processes)
    } else {
        Err(Error::Garbled(first_line(answer)))
    }
}

/// One process.
fn row(line: &str, old: bool) -> Option<LbWorker> {
    let (line, failed_reloads) = match line.split_once("[failed:") {
        Some((before, after)) => {
            let (count, after) = after.split_once(']')?;
            (format!("{before}{after}"), Some(count.trim().parse().ok()?))
        }
        None => (line.to_owned(), None),
    };
    let mut words = line.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    let role = match (words.next()?, old) {
        ("master", _) => WorkerRole::Master,
        ("worker", false) => WorkerRole::Worker,
        ("worker", true) => WorkerRole::OldWorker,
        ("program", _) => WorkerRole::Program,
        _ => return None,
    };
    let reloads = words.next()?.parse().ok()?;
    let uptime_s = seconds(words.next()?)?;
    Some(LbWorker { pid, role, reloads, failed_reloads, uptime_s, version: words.next().map(str::to_owned) })
}

/// `1d02h03m04s`
fn seconds(text: &str) -> Option<u64> {
    let (days, rest) = text.split_once('d')?;
    let (hours, rest) = rest.split_once('h')?;
    let (minutes, rest) = rest.split_once('m')?;
    let parts = [days, hours, minutes, rest.strip_suffix('s')?];
    parts
        .iter()
        .zip([86_400, 3600, 60, 1])
        .try_fold(0_u64, |sum, (part, unit)| sum.checked_add(part.parse::<u64>().ok()?.checked_mul(unit)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use WorkerRole::{Master, OldWorker, Program, Worker};
    use proptest::prelude::*;

    const FOUR: &str = "\
#<PID>          <type>          <reloads>       <uptime>        <version>
20115           master          3 [failed: 1]   1d02h03m04s     2.6.12-1+deb12u4
# workers
5282            worker          0               0d00h00m09s     2.6.12-1+deb12u4
# old workers
20116           worker          3               0d00h10m00s     2.6.12-1+deb12u4
# programs
20117           program         0               0d00h10m00s     -

";

    #[test]
    fn old_workers_and_failed_reloads_are_told() {
        let processes = parse(FOUR).unwrap();
        let roles: Vec<_> = processes.iter().map(|process| process.role).collect();
        assert_eq!(roles, [Master, Worker, OldWorker, Program]);
        assert_eq!((processes[0].reloads, processes[0].failed_reloads), (3, Some(1)));
        assert_eq!(processes[0].uptime_s, 93_784);
        assert_eq!(processes[1].failed_reloads, None);
    }

    #[test]
    fn an_answer_without_a_master_is_none() {
        for text in ["", "\n", "Unknown command\n", "# workers\n"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text: String) {
            let _ = parse(&text);
            let _ = parse(&format!("1 master 0 [failed:{text}"));
            let _ = seconds(&text);
        }
    }
}
