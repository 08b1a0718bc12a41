//! The faults there are words for, and how hosts with systemd get them.

use clap::ValueEnum;
use serde::Deserialize;

/// What is broken. The same words name the cases of `lb-render`'s predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Nothing: what the machine and the clients account for
    None,
    /// keepalived ends as it should, on the holder
    KeepalivedStopped,
    /// keepalived and its children are killed: the address stays behind
    KeepalivedKilled,
    /// haproxy is killed on the holder
    HaproxyKilled,
    /// haproxy stands still on the holder, its sockets open
    HaproxyHung,
    /// The holder's cable is pulled
    Carrier,
    /// The holder is cut off, its link still up
    Partition,
    /// An API server is killed
    ApiKilled,
    /// An API server is cut off
    ApiSilent,
    /// An API server answers 500
    #[serde(rename = "api-500")]
    #[value(name = "api-500")]
    Api500,
    /// haproxy is reloaded on the holder
    Reload,
    /// A node that was down comes back
    Failback,
    /// What --inject does
    Custom,
}

/// The commands of a scenario, their words still with `{via}` and `{node}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commands {
    /// What comes before all measuring: how failback gets its node down.
    #[serde(default)]
    pub(crate) prepare: Option<Vec<String>>,
    /// What breaks.
    pub(crate) inject: Option<Vec<String>>,
    /// What puts it right; must do no harm where nothing is broken.
    #[serde(default)]
    pub(crate) heal: Option<Vec<String>>,
}

impl Scenario {
    /// Its word.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The commands of a host whose haproxy and keepalived belong to systemd;
    /// `None` where none would be right everywhere (whose switch, which API server).
    pub(crate) fn by_systemd(self) -> Option<Commands> {
        let systemctl = |words: &str| {
            let words = ["{via}", "systemctl"].into_iter().chain(words.split(' '));
            Some(words.map(str::to_owned).collect())
        };
        let commands = |inject, heal| Commands { prepare: None, inject, heal };
        Some(match self {
            Self::None => Commands::default(),
            Self::KeepalivedStopped => commands(systemctl("stop keepalived"), systemctl("start keepalived")),
            Self::KeepalivedKilled => {
                commands(systemctl("kill --signal=KILL keepalived"), systemctl("restart keepalived"))
            }
            Self::HaproxyKilled => {
                commands(systemctl("kill --signal=KILL haproxy"), systemctl("start haproxy"))
            }
            Self::HaproxyHung => {
                commands(systemctl("kill --signal=STOP haproxy"), systemctl("kill --signal=CONT haproxy"))
            }
            Self::Reload => commands(systemctl("reload haproxy"), None),
            Self::Failback => Commands {
                prepare: systemctl("stop keepalived"),
                inject: systemctl("start keepalived"),
                heal: systemctl("start keepalived"),
            },
            Self::Carrier
            | Self::Partition
            | Self::ApiKilled
            | Self::ApiSilent
            | Self::Api500
            | Self::Custom => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_file_and_the_command_line_know_the_same_words() {
        for scenario in Scenario::value_variants() {
            let word = serde_json::from_value(scenario.name().into());
            assert_eq!(word.ok(), Some(*scenario));
        }
    }

    #[test]
    fn whatever_systemd_breaks_it_heals_unless_nothing_stays_broken() {
        let healed = |scenario: &Scenario| {
            scenario.by_systemd().is_none_or(|commands| commands.inject.is_some() == commands.heal.is_some())
        };
        let open: Vec<_> = Scenario::value_variants().iter().filter(|one| !healed(one)).collect();
        assert_eq!(open, [&Scenario::Reload]);
    }
}
