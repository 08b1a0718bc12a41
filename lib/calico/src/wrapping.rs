//! How packets of each pool are wrapped, whichever settings say so.

use net::Family;
use platform::Encap;

use crate::form::{Name, Setting, State};
use crate::words::{self, Mode};

/// How a pool's packets are wrapped.
#[derive(Clone, Debug)]
pub struct Wrapping<'a, 's> {
    /// The setting that decides; its line, its state.
    pub by: &'a Setting<'s>,
    /// How; none if that makes no sense.
    pub encap: Option<Encap>,
    /// What is said, in the form's own words.
    pub said: String,
}

/// The wrapping of every pool.
pub fn wrappings<'a, 's>(settings: &'a [Setting<'s>]) -> Vec<Wrapping<'a, 's>> {
    let mut found = Vec::new();
    for setting in settings {
        let value = setting.value.as_deref().filter(|_| setting.state == State::Active);
        match (setting.name, setting.family) {
            (Name::Encap, _) => found.push(Wrapping {
                by: setting,
                // The operator's default for a pool that does not say.
                encap: value.map_or(Some(Encap::Ipip), words::operator_encap),
                said: value.unwrap_or("nothing").to_owned(),
            }),
            (Name::Vxlan, family) if !(family == Some(Family::V6) && setting.state == State::Absent) => {
                let ipip = settings.iter().find(|other| {
                    (other.name, other.family) == (Name::Ipip, family) && other.object == setting.object
                });
                found.push(both(ipip, setting));
            }
            _ => {}
        }
    }
    found
}

fn both<'a, 's>(ipip: Option<&'a Setting<'s>>, vxlan: &'a Setting<'s>) -> Wrapping<'a, 's> {
    let value = |setting: &Setting| match &setting.value {
        Some(value) if setting.state == State::Active => value.clone(),
        _ => String::new(),
    };
    let mode = |setting: Option<&Setting>| setting.map_or(Some(Mode::Never), |s| words::mode(&value(s)));
    let (far, vxlan_far) = (mode(ipip), mode(Some(vxlan)));
    let by = ipip.filter(|_| far != Some(Mode::Never)).unwrap_or(vxlan);
    let said = ipip.into_iter().chain([vxlan]).filter(|setting| !value(setting).is_empty());
    Wrapping {
        by,
        encap: far.zip(vxlan_far).and_then(|(ipip, vxlan)| words::encap(ipip, vxlan)),
        said: said
            .map(|setting| format!("{}={}", setting.field, value(setting)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
