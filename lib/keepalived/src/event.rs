//! What keepalived reports: lines of its notify FIFO, arguments of a notify script.
//!
//! ```text
//! INSTANCE "VI_1" MASTER 101          the FIFO quotes names, a script gets them bare
//! GROUP "G" BACKUP 0
//! VS [10.0.0.100]:tcp:80 UP
//! RS [10.0.0.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN
//! ```

use std::str::FromStr;

use model::{VrrpScope, VrrpState};

/// Something keepalived reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub scope: VrrpScope,
    /// Its name, without quotes.
    pub name: String,
    /// What was reported.
    pub state: VrrpState,
    /// The priority of an instance; groups and servers have none.
    pub priority: Option<u8>,
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It starts with none of the four words.
    #[error("starts with none of INSTANCE, GROUP, VS, RS")]
    Scope,
    /// It names nobody.
    #[error("no name")]
    Name,
    /// It has no known state in its place.
    #[error("`{0}` is no state")]
    State(String),
    /// It has no priority from 0 to 255 in its place.
    #[error("`{0}` is no priority")]
    Priority(String),
}

impl Event {
    /// The event of a notify script's four arguments.
    ///
    /// # Errors
    /// Says which argument is wrong.
    pub fn from_arguments([kind, name, state, priority]: [&str; 4]) -> Result<Self, Unreadable> {
        let scope = match kind {
            "INSTANCE" => VrrpScope::Instance,
            "GROUP" => VrrpScope::Group,
            _ => return Err(Unreadable::Scope),
        };
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        if bare.is_empty() {
            return Err(Unreadable::Name);
        }
        let state = placed(state, false)?;
        let priority = priority.parse().map_err(|_| Unreadable::Priority(priority.to_owned()))?;
        // keepalived writes 0 for groups, whose instances may each have another.
        let priority = (scope == VrrpScope::Instance).then_some(priority);
        Ok(Self { scope, name: bare.to_owned(), state, priority })
    }
}

impl FromStr for Event {
    type Err = Unreadable;

    fn from_str(line: &str) -> Result<Self, Unreadable> {
        let (kind, rest) = line.trim_end().split_once(' ').ok_or(Unreadable::Scope)?;
        let scope = match kind {
            "VS" => VrrpScope::VirtualServer,
            "RS" => VrrpScope::RealServer,
            _ => {
                // From the right: a name may hold blanks, a state and a priority do not.
                let mut words = rest.rsplitn(3, ' ');
                let mut word = || words.next().unwrap_or_default();
                let (priority, state, name) = (word(), word(), word());
                return Self::from_arguments([kind, name, state, priority]);
            }
        };
        let (name, state) = rest.rsplit_once(' ').ok_or(Unreadable::Name)?;
        let state = placed(state, true)?;
        if name.trim().is_empty() {
            return Err(Unreadable::Name);
        }
        Ok(Self { scope, name: name.to_owned(), state, priority: None })
    }
}

/// Every state with keepalived's word for it.
const WORDS: [(&str, VrrpState); 11] = [
    ("INIT", VrrpState::Init),
    ("BACKUP", VrrpState::Backup),
    ("MASTER", VrrpState::Master),
    ("FAULT", VrrpState::Fault),
    ("STOP", VrrpState::Stop),
    ("DELETED", VrrpState::Deleted),
    ("MASTER_RX_LOWER_PRI", VrrpState::MasterRxLowerPri),
    ("MASTER_PRIORITY", VrrpState::MasterPriority),
    ("BACKUP_PRIORITY", VrrpState::BackupPriority),
    ("UP", VrrpState::Up),
    ("DOWN", VrrpState::Down),
];

/// The state keepalived has this word for; `None` if it is no state's.
pub fn state(word: &str) -> Option<VrrpState> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, state)| *state)
}

/// keepalived's word for a state.
pub fn word(state: VrrpState) -> &'static str {
    WORDS.iter().find(|(_, known)| *known == state).map_or("", |(word, _)| word)
}

/// A state in its place: servers of LVS are up or down, all else is neither.
fn placed(text: &str, of_server: bool) -> Result<VrrpState, Unreadable> {
    let fits = |found: &VrrpState| matches!(found, VrrpState::Up | VrrpState::Down) == of_server;
    state(text).filter(fits).ok_or_else(|| Unreadable::State(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_the_fifo_and_arguments_of_a_script_say_the_same() {
        let line: Event = "INSTANCE \"VI_1\" MASTER 101\n".parse().unwrap();
        assert_eq!(line, Event::from_arguments(["INSTANCE", "VI_1", "MASTER", "101"]).unwrap());
        assert_eq!(line.priority, Some(101));
    }

    #[test]
    fn a_name_may_hold_blanks_and_quotes() {
        let event: Event = r#"GROUP "a "b" c" MASTER_RX_LOWER_PRI 0"#.parse().unwrap();
        assert_eq!((event.name.as_str(), event.state), (r#"a "b" c"#, VrrpState::MasterRxLowerPri));
    }

    #[test]
    fn servers_of_lvs_have_no_priority() {
        let event: Event = "RS [10.0.0.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN".parse().unwrap();
        assert_eq!(event.name, "[10.0.0.11]:tcp:80 [10.0.0.100]:tcp:80");
        assert_eq!(
            (event.scope, event.state, event.priority),
            (VrrpScope::RealServer, VrrpState::Down, None)
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |line: &str| line.parse::<Event>().unwrap_err();
        assert_eq!(why(""), Unreadable::Scope);
        assert_eq!(why("INSTANCE"), Unreadable::Scope);
        assert_eq!(why("NODE \"x\" MASTER 1"), Unreadable::Scope);
        assert_eq!(why("INSTANCE \"\" MASTER 1"), Unreadable::Name);
        assert_eq!(why("INSTANCE MASTER 1"), Unreadable::Name);
        assert_eq!(why("INSTANCE \"x\" MASTERY 1"), Unreadable::State("MASTERY".into()));
        assert_eq!(why("INSTANCE \"x\" MASTER 256"), Unreadable::Priority("256".into()));
        assert_eq!(why("VS UP"), Unreadable::Name);
        assert_eq!(why("VS [10.0.0.100]:tcp:80 MASTER"), Unreadable::State("MASTER".into()));
        // Two readers of one FIFO share out the bytes of a line.
        assert_eq!(why("NSTANCE \"VI_1\" MASTER 101"), Unreadable::Scope);
    }

    #[test]
    fn every_word_comes_back() {
        for (text, _) in WORDS {
            assert_eq!(state(text).map(word), Some(text));
        }
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in ".{0,80}") {
            let _ = line.parse::<Event>();
        }

        #[test]
        fn every_name_comes_back(name in "[A-Za-z0-9_ .-]{1,30}", priority: u8) {
            let event: Event = format!("INSTANCE \"{name}\" BACKUP {priority}\n").parse().unwrap();
            prop_assert_eq!((event.name, event.priority), (name, Some(priority)));
        }
    }
}
