//! `show stat … typed`: one line a value.
//!
//! ```text
//! S.3.1.17.status.1:SGP:str:UP
//! | | |  | |      | |   |   value, to the end of the line
//! | | |  | |      | |   type
//! | | |  | |      | origin, nature, scope
//! | | |  | |      process
//! | | |  position: moves between versions, not read
//! | proxy, server
//! Server (Frontend, Backend, Listener are passed over)
//! ```

use std::collections::HashMap;

use model::{LbServer, ServerStatus};

use crate::Error;
use crate::socket::first_line;

/// Reads the answer to `show stat BACKEND 4 -1 typed`.
///
/// # Errors
/// Fails if it is not one; no server at all is fine.
pub fn parse(answer: &str) -> Result<Vec<LbServer>, Error> {
    let garbled = || Error::Garbled(first_line(answer));
    let mut servers = Vec::new();
    let mut fields = HashMap::new();
    let mut current = None;
    for line in answer.lines().filter(|line| !line.trim().is_empty()) {
        let (key, name, value) = field(line).ok_or_else(|| answered_no(answer).unwrap_or_else(garbled))?;
        if current != Some(key) {
            if current.is_some_and(is_server) {
                servers.push(server(&fields).ok_or_else(garbled)?);
            }
            fields.clear();
            current = Some(key);
        }
        fields.insert(name, value);
    }
    if current.is_some_and(is_server) {
        servers.push(server(&fields).ok_or_else(garbled)?);
    }
    Ok(servers)
}

/// Object, name and value of one line.
fn field(line: &str) -> Option<((&str, &str, &str), &str, &str)> {
    let (head, rest) = line.split_once(':')?;
    let (_tags, rest) = rest.split_once(':')?;
    let (_type, value) = rest.split_once(':')?;
    let mut parts = head.splitn(5, '.');
    let (object, proxy, id, _position) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (name, _process) = parts.next()?.rsplit_once('.')?;
    Some(((object, proxy, id), name, value))
}

fn is_server((object, _, _): (&str, &str, &str)) -> bool {
    object == "S"
}

/// Sentences it answers with instead of values.
fn answered_no(answer: &str) -> Option<Error> {
    let line = first_line(answer);
    ["No such proxy", "Permission denied"]
        .iter()
        .any(|known| line.starts_with(known))
        .then_some(Error::Refused(line))
}

fn server(fields: &HashMap<&str, &str>) -> Option<LbServer> {
    let text = |name| fields.get(name).copied().filter(|value: &&str| !value.is_empty()).map(str::to_owned);
    let number = |name| fields.get(name).and_then(|value| value.parse::<u64>().ok());
    Some(LbServer {
        backend: text("pxname")?,
        server: text("svname")?,
        address: text("addr"),
        status: status(fields.get("status")?),
        // A running check shows its last result behind a star.
        check: text("check_status").map(|check| check.trim_start_matches("* ").to_owned()),
        code: fields.get("check_code").and_then(|code| code.parse().ok()),
        check_text: text("last_chk"),
        last_change_s: number("lastchg"),
        sessions: number("scur")?,
        rate: number("rate"),
        check_failures: number("chkfail"),
        downtime_s: number("downtime"),
    })
}

/// `UP`, `UP 1/2`, `DOWN`, `DOWN 1/2`, `DOWN (agent)`, `NOLB 1/2`, `MAINT`, `MAINT (via b/s)`,
/// `MAINT (resolution)`, `DRAIN`, `DRAIN (agent)`, `no check`: haproxy 2.6, `src/stats.c`.
fn status(text: &str) -> ServerStatus {
    match text.split([' ', '(']).next() {
        Some("UP") => ServerStatus::Up,
        Some("DOWN") => ServerStatus::Down,
        Some("NOLB") => ServerStatus::Stopping,
        Some("MAINT") => ServerStatus::Maint,
        Some("DRAIN") => ServerStatus::Drain,
        Some("no") => ServerStatus::Unchecked,
        _ => ServerStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &str = "\
S.3.1.0.pxname.1:KNS:str:apiservers
S.3.1.1.svname.1:KNS:str:cp1
S.3.1.4.scur.1:MGP:u32:2
S.3.1.17.status.1:SGP:str:UP 1/2
S.3.1.36.check_status.1:MOP:str:* L7OK
S.3.1.37.check_code.1:MOP:u32:200
S.3.1.73.addr.1:CGS:str:[fd00::1]:6443
S.3.2.0.pxname.1:KNS:str:apiservers
S.3.2.1.svname.1:KNS:str:cp2
S.3.2.4.scur.1:MGP:u32:0
S.3.2.17.status.1:SGP:str:DOWN
S.3.2.23.lastchg.1:MAP:u32:7
S.3.2.56.last_chk.1:MOP:str:Connection refused: a:b

";

    #[test]
    fn values_are_found_by_their_names() {
        let servers = parse(TWO).unwrap();
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[0].status, ServerStatus::Up);
        assert_eq!(servers[0].check.as_deref(), Some("L7OK"));
        assert_eq!((servers[0].code, servers[0].sessions), (Some(200), 2));
        assert_eq!(servers[0].address.as_deref(), Some("[fd00::1]:6443"));
        assert_eq!(servers[1].status, ServerStatus::Down);
        assert_eq!(servers[1].check_text.as_deref(), Some("Connection refused: a:b"));
        assert_eq!((servers[1].code, servers[1].last_change_s), (None, Some(7)));
    }

    #[test]
    fn every_word_for_a_status_is_known() {
        for (text, want) in [
            ("UP", ServerStatus::Up),
            ("DOWN (agent)", ServerStatus::Down),
            ("NOLB 1/2", ServerStatus::Stopping),
            ("MAINT (via b/s)", ServerStatus::Maint),
            ("MAINT(resolution)", ServerStatus::Maint),
            ("DRAIN", ServerStatus::Drain),
            ("no check", ServerStatus::Unchecked),
            ("", ServerStatus::Unknown),
        ] {
            assert_eq!(status(text), want, "{text}");
        }
    }

    #[test]
    fn an_answer_cut_short_is_not_taken_for_fewer_servers() {
        let cut = TWO.find("S.3.2.17").unwrap();
        assert!(matches!(parse(&TWO[..cut]), Err(Error::Garbled(_))));
    }

    #[test]
    fn an_unknown_backend_is_refused_and_an_empty_answer_has_no_servers() {
        assert!(matches!(parse("No such proxy.\n\n"), Err(Error::Refused(_))));
        assert_eq!(parse("\n").unwrap(), []);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text: String) {
            let _ = parse(&text);
            let _ = parse(&format!("S.3.1.{text}"));
            let _ = parse(&format!("{TWO}{text}\n{TWO}"));
        }
    }
}
