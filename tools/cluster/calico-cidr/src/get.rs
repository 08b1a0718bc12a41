//! Settings as records.

use calico::{Form, Name, Setting, State, encap_word, wrappings};
use cli::Input;
use model::{CalicoSetting, CalicoState};
use net::Family;

/// What the manifest says, in its order, wrappings last.
pub(crate) fn records(settings: &[Setting], file: &Input) -> Vec<CalicoSetting> {
    let plain = settings.iter().filter_map(|setting| {
        let word = word(setting.name)?;
        // What canal leaves to flannel is no news.
        let idle = setting.form == Form::Canal && setting.state == State::Absent;
        let value = setting.value.clone();
        (!idle).then(|| record(setting, file, word, value))
    });
    let wrapped = wrappings(settings).into_iter().filter(|wrapping| wrapping.by.form != Form::Canal);
    let wrapped = wrapped.map(|wrapping| {
        let value = wrapping.encap.map_or(wrapping.said, |encap| encap_word(encap).to_owned());
        let known = wrapping.encap.map(|encap| encap_word(encap).to_owned());
        let record = record(wrapping.by, file, "encap", Some(value));
        CalicoSetting {
            value: record.value.filter(|_| wrapping.by.state == State::Active),
            effective: known,
            ..record
        }
    });
    plain.chain(wrapped).collect()
}

fn word(name: Name) -> Option<&'static str> {
    Some(match name {
        Name::Cidr => "cidr",
        Name::Network => "network",
        Name::BlockSize => "block-size",
        Name::Autodetect => "autodetect",
        Name::Mtu => "mtu",
        Name::Backend => "backend",
        // Wrappings come on their own.
        Name::Encap | Name::Ipip | Name::Vxlan | Name::Address | Name::Support | Name::Plugin => return None,
    })
}

fn record(setting: &Setting, file: &Input, word: &str, value: Option<String>) -> CalicoSetting {
    let default = match (setting.name, setting.family) {
        (Name::BlockSize, Some(Family::V6)) => Some("122"),
        (Name::BlockSize, _) => Some("26"),
        (Name::Autodetect, _) => Some("first-found"),
        _ => None,
    };
    let counts = setting.state == State::Active;
    CalicoSetting {
        file: file.to_string(),
        line: setting.line,
        object: setting.object.clone(),
        field: setting.field.clone(),
        setting: word.to_owned(),
        family: setting.family.map(|family| if family == Family::V4 { "ipv4" } else { "ipv6" }.to_owned()),
        state: match setting.state {
            State::Active => CalicoState::Active,
            State::Commented => CalicoState::Commented,
            State::Half => CalicoState::Half,
            State::Absent => CalicoState::Absent,
        },
        effective: value
            .clone()
            .filter(|_| counts)
            .or_else(|| default.filter(|_| !counts).map(str::to_owned)),
        value,
    }
}
