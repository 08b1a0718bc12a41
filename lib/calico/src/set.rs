//! Writing other values, and nothing else.

use net::{Cidr, Family};
use platform::{Encap, Platform};
use yaml_splice::{Edits, Stream, quoted};

use crate::form::{Form, Name, Setting, Site, State, settings};
use crate::{Error, words};

/// What a manifest should say; what is left out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The pods' networks, one of a family.
    pub cidrs: Vec<Cidr>,
    /// How packets are wrapped.
    pub encap: Option<Encap>,
    /// How a node's address is found.
    pub autodetect: Option<String>,
    /// The prefix length of a node's block of IPv4.
    pub block_size: Option<u8>,
    /// The same for IPv6.
    pub block_size6: Option<u8>,
}

/// Calico's own, where the manifest does not say.
const FIRST_FOUND: &str = "first-found";

impl Wanted {
    /// What a platform document says.
    pub fn by(platform: &Platform) -> Self {
        let network = &platform.network;
        let cni = platform.cluster.cni.as_ref();
        Self {
            cidrs: network.pod_cidr.into_iter().chain(network.pod_cidr6).collect(),
            encap: cni.map(|cni| cni.encap),
            autodetect: cni.map(|cni| cni.autodetect.clone()),
            block_size: cni.map(|cni| cni.block_size),
            block_size6: cni.map(|cni| cni.block_size6),
        }
    }

    /// The network of a family.
    pub fn cidr(&self, family: Family) -> Option<Cidr> {
        self.cidrs.iter().copied().find(|cidr| cidr.family() == family)
    }

    /// What a setting should say, in the form's own words; none if it may say what it does.
    pub fn of(&self, setting: &Setting) -> Option<String> {
        let family = setting.family.unwrap_or(Family::V4);
        let cidr = self.cidr(family);
        let six = family == Family::V6;
        // Nothing is wanted of a family the cluster does not have; canal has flannel for the rest.
        if six && cidr.is_none() {
            return None;
        }
        let absent = setting.state != State::Active;
        let unless = |default: &str, value: String| (!absent || value != default).then_some(value);
        match setting.name {
            Name::Cidr | Name::Network => cidr.map(|cidr| cidr.to_string()),
            _ if setting.form == Form::Canal => None,
            // Calico wraps IPv6 in VXLAN alone.
            Name::Encap => {
                let encap = self.encap.filter(|encap| !six || words::modes(*encap).0 == "Never")?;
                Some(words::operator_word(encap).to_owned())
            }
            Name::Ipip => self.encap.and_then(|encap| unless("Never", words::modes(encap).0.to_owned())),
            Name::Vxlan => self.encap.and_then(|encap| unless("Never", words::modes(encap).1.to_owned())),
            Name::BlockSize if six => self.block_size6.and_then(|size| unless("122", size.to_string())),
            Name::BlockSize => self.block_size.and_then(|size| unless("26", size.to_string())),
            Name::Autodetect => self.autodetect.clone().and_then(|way| unless(FIRST_FOUND, way)),
            Name::Address => six.then(|| "autodetect".to_owned()),
            Name::Support => Some("true".to_owned()),
            Name::Plugin => cidr.map(|_| "true".to_owned()),
            Name::Mtu | Name::Backend => None,
        }
    }
}

/// A manifest that says what is wanted; every other byte is as it was.
///
/// # Errors
/// Fails if it is no YAML, has nothing of Calico in it, or a value that has
/// to change is written in a way that is not edited.
pub fn set(text: &str, wanted: &Wanted) -> Result<String, Error> {
    let mut text = text.to_owned();
    // Lines that are added move the others: one place at a time, then look again.
    for _ in 0..32 {
        let stream = Stream::parse(&text)?;
        let all = settings(&stream, wanted.cidr(Family::V6).is_some())?;
        let mut edits = Edits::of(&stream);
        let mut added = false;
        for setting in &all {
            let Some(value) = wanted.of(setting).filter(|value| !says(setting, value)) else { continue };
            if matches!(setting.site, Site::After(..)) && std::mem::replace(&mut added, true) {
                continue;
            }
            write(&mut edits, setting, &value)?;
        }
        if edits.is_empty() {
            return Ok(text);
        }
        text = edits.apply()?;
    }
    Err(Error::Unsettled("the manifest".into()))
}

/// Whether a setting says that already, in whatever spelling.
fn says(setting: &Setting, value: &str) -> bool {
    let Some(current) = setting.value.as_deref().filter(|_| setting.state == State::Active) else {
        return false;
    };
    match setting.name {
        Name::Ipip | Name::Vxlan => {
            words::mode(current).is_some() && words::mode(current) == words::mode(value)
        }
        Name::Cidr | Name::Network => current.parse::<Cidr>().is_ok_and(|cidr| cidr.to_string() == value),
        _ => current == value,
    }
}

fn write(edits: &mut Edits, setting: &Setting, value: &str) -> Result<(), Error> {
    let spelled = match (setting.form, setting.name) {
        (Form::Operator, Name::Autodetect) => words::operator_autodetect(value),
        (Form::Operator, _) if !value.contains(':') => value.to_owned(),
        _ => quoted(value),
    };
    match &setting.site {
        // A variable is text, even if it looks like a number.
        Site::Scalar(node) if setting.form == Form::Operator => edits.set(node, value)?,
        Site::Scalar(node) => edits.set_text(node, value)?,
        Site::Bytes(range) if setting.name == Name::Autodetect => edits.replace(range.clone(), spelled),
        Site::Bytes(range) => edits.replace(range.clone(), value.to_owned()),
        Site::Between(at, before, behind) => edits.replace(*at..*at, format!("{before}{value}{behind}")),
        Site::Pair(name, (line, before, behind)) => {
            if let Some((line, text)) = name {
                edits.replace_line(*line, text.clone());
            }
            edits.replace_line(*line, format!("{before}{spelled}{behind}"));
        }
        Site::After(line, lines) => edits.add_lines(*line, &format!("{lines}{spelled}")),
        Site::Fixed(line, why) => {
            return Err(Error::Fixed { field: setting.field.clone(), line: *line, why });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    macro_rules! example {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/examples/", $name))
        };
    }
    const MANIFEST: &str = example!("calico.yaml");
    const RESOURCES: &str = example!("custom-resources.yaml");
    const CANAL: &str = example!("canal.yaml");
    const PAIR: &str =
        "            # - name: CALICO_IPV4POOL_CIDR\n            #   value: \"192.168.0.0/16\"\n";
    const ACTIVE: &str = "            - name: CALICO_IPV4POOL_CIDR\n              value: \"10.244.0.0/16\"\n";

    fn pods() -> Wanted {
        Wanted { cidrs: vec!["10.244.0.0/16".parse().unwrap()], ..Wanted::default() }
    }

    fn all() -> Wanted {
        Wanted {
            encap: Some(Encap::VxlanCrossSubnet),
            autodetect: Some("kubernetes-internal-ip".into()),
            block_size: Some(24),
            ..pods()
        }
    }

    /// The lines that differ: those that went, then those that came.
    fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
        let without = |these: &str, those: &str| {
            let mut left: Vec<_> = those.lines().collect();
            let mut gone = Vec::new();
            for line in these.lines() {
                match left.iter().position(|other| *other == line) {
                    Some(at) => drop(left.remove(at)),
                    None => gone.push(line.trim_start().to_owned()),
                }
            }
            gone
        };
        (without(before, after), without(after, before))
    }

    #[test]
    fn a_commented_pair_becomes_active_and_nothing_else_changes() {
        assert_eq!(set(MANIFEST, &pods()).unwrap(), MANIFEST.replace(PAIR, ACTIVE));
    }

    #[test]
    fn half_a_pair_becomes_whole() {
        let value = "            #   value: \"192.168.0.0/16\"\n";
        let name = "            # - name: CALICO_IPV4POOL_CIDR\n";
        for half in [
            // The name alone, with its value as a comment, without, with nothing behind the colon.
            format!("{}{value}", name.replace("# ", "")),
            name.replace("# ", ""),
            format!("{}              value:\n", name.replace("# ", "")),
            format!("{}              value: \"\"\n", name.replace("# ", "")),
            // The value alone.
            format!("{name}{}", value.replace("# ", "")),
        ] {
            let text = MANIFEST.replace(PAIR, &half);
            let stream = Stream::parse(&text).unwrap();
            let found = settings(&stream, false).unwrap();
            assert_eq!(found.iter().find(|s| s.name == Name::Cidr).unwrap().state, State::Half, "{half}");
            assert_eq!(set(&text, &pods()).unwrap(), MANIFEST.replace(PAIR, ACTIVE), "{half}");
        }
    }

    #[test]
    fn other_ways_to_comment_a_pair_out_are_known() {
        for pair in [
            "            #- name: CALICO_IPV4POOL_CIDR\n            #  value: \"192.168.0.0/16\"\n",
            "#            - name: CALICO_IPV4POOL_CIDR\n#              value: '192.168.0.0/16'\n",
            "            ## - name: x\n            # - name: \"CALICO_IPV4POOL_CIDR\"\n            #   value: 1.2.3.0/24\n",
        ] {
            let edited = set(&MANIFEST.replace(PAIR, pair), &pods()).unwrap();
            assert!(edited.contains(ACTIVE), "{pair}");
        }
    }

    #[test]
    fn what_stands_behind_a_commented_value_stays() {
        let text = MANIFEST.replace("192.168.0.0/16\"", "192.168.0.0/16\"  # ours");
        assert!(set(&text, &pods()).unwrap().contains("value: \"10.244.0.0/16\"  # ours\n"));
    }

    #[test]
    fn variables_that_are_missing_are_added_beside_their_kin() {
        let edited = set(MANIFEST, &all()).unwrap();
        let (gone, come) = changed(MANIFEST, &edited);
        assert_eq!(
            gone,
            ["value: \"Always\"", "# - name: CALICO_IPV4POOL_CIDR", "#   value: \"192.168.0.0/16\""]
        );
        assert_eq!(
            come,
            [
                "- name: IP_AUTODETECTION_METHOD",
                "value: \"kubernetes-internal-ip\"",
                "value: \"CrossSubnet\"",
                "- name: CALICO_IPV4POOL_CIDR",
                "value: \"10.244.0.0/16\"",
                "- name: CALICO_IPV4POOL_BLOCK_SIZE",
                "value: \"24\""
            ]
        );
        assert!(edited.contains("value: \"autodetect\"\n            - name: IP_AUTODETECTION_METHOD\n"));
    }

    #[test]
    fn the_operators_pool_is_edited_in_place() {
        let (gone, come) = changed(RESOURCES, &set(RESOURCES, &all()).unwrap());
        assert_eq!(gone, ["blockSize: 26", "cidr: 192.168.0.0/16", "encapsulation: IPIP"]);
        assert_eq!(
            come,
            [
                "nodeAddressAutodetectionV4:",
                "kubernetes: NodeInternalIP",
                "blockSize: 24",
                "cidr: 10.244.0.0/16",
                "encapsulation: VXLANCrossSubnet"
            ]
        );
    }

    #[test]
    fn an_installation_that_says_nothing_gets_a_pool() {
        let spec = RESOURCES.find("  # How pods").unwrap();
        let text = format!("{}  variant: Calico\n", &RESOURCES[..spec]);
        let edited = set(&text, &all()).unwrap();
        let want = "spec:\n  calicoNetwork:\n    nodeAddressAutodetectionV4:\n      kubernetes: NodeInternalIP\n    ipPools:\n    - cidr: 10.244.0.0/16\n      blockSize: 24\n      encapsulation: VXLANCrossSubnet\n  variant: Calico\n";
        assert_eq!(
            edited
                .replace("      - cidr", "    - cidr")
                .replace("        b", "      b")
                .replace("        e", "      e"),
            format!("{}{}", &text[..text.find("spec:").unwrap()], want)
        );
    }

    #[test]
    fn flannel_is_told_as_well() {
        let other = Wanted { cidrs: vec!["10.10.0.0/16".parse().unwrap()], ..all() };
        let (gone, come) = changed(CANAL, &set(CANAL, &other).unwrap());
        assert_eq!(
            gone,
            [
                "\"Network\": \"10.244.0.0/16\",",
                "# - name: CALICO_IPV4POOL_CIDR",
                "#   value: \"192.168.0.0/16\""
            ]
        );
        assert_eq!(
            come,
            ["\"Network\": \"10.10.0.0/16\",", "- name: CALICO_IPV4POOL_CIDR", "value: \"10.10.0.0/16\""]
        );
    }

    #[test]
    fn a_dual_stack_gets_what_ipv6_needs() {
        let cidrs = vec!["10.244.0.0/16".parse().unwrap(), "fd44::/48".parse().unwrap()];
        let both = Wanted { cidrs, ..all() };
        let (_, come) = changed(&set(MANIFEST, &all()).unwrap(), &set(MANIFEST, &both).unwrap());
        assert!(come.iter().any(|line| line.contains("\"assign_ipv6\": \"true\"")), "{come:?}");
        for line in [
            "- name: IP6",
            "- name: CALICO_IPV6POOL_CIDR",
            "value: \"fd44::/48\"",
            "- name: IP6_AUTODETECTION_METHOD",
        ] {
            assert!(come.iter().any(|other| other == line), "{line} in {come:?}");
        }
        let resources = set(RESOURCES, &both).unwrap();
        assert!(
            resources.contains("      nodeSelector: all()\n    - cidr: \"fd44::/48\"\n      encapsulation: VXLANCrossSubnet\n\n"),
            "{resources}"
        );
    }

    #[test]
    fn a_value_from_elsewhere_and_pools_in_brackets_are_refused() {
        let text = MANIFEST.replace(
            PAIR,
            "            - name: CALICO_IPV4POOL_CIDR\n              valueFrom: {fieldRef: {fieldPath: x}}\n",
        );
        assert!(matches!(set(&text, &pods()), Err(Error::Fixed { .. })));
        for pools in ["ipPools: []", "ipPools: [{cidr: 1.0.0.0/8}, {cidr: 2.0.0.0/8}]"] {
            let text = format!(
                "apiVersion: operator.tigera.io/v1\nkind: Installation\nspec:\n  calicoNetwork:\n    {pools}\n"
            );
            assert!(matches!(set(&text, &pods()), Err(Error::Fixed { .. })), "{pools}");
        }
        assert_eq!(set("kind: DaemonSet\n", &pods()), Err(Error::None));
    }

    /// One of the three forms with some of its lines commented, doubled, gone or without a line end.
    fn forms() -> impl Strategy<Value = String> {
        let change = (any::<prop::sample::Index>(), 0_u8..6);
        (0_usize..3, prop::collection::vec(change, 0..3), any::<bool>(), any::<bool>()).prop_map(
            |(form, changes, crlf, cut)| {
                let mut lines: Vec<_> =
                    [MANIFEST, RESOURCES, CANAL][form].lines().map(str::to_owned).collect();
                for (index, how) in changes {
                    let at = index.index(lines.len());
                    match how {
                        0 => drop(lines.remove(at)),
                        1 => lines.insert(at, lines[at].clone()),
                        2 => lines[at] = lines[at].replacen("- ", "# - ", 1),
                        3 => lines[at] = lines[at].replacen("# ", "", 1),
                        4 => lines[at] = lines[at].replacen("value:", "# value:", 1),
                        _ => lines[at].push_str(" # é"),
                    }
                }
                let text = lines.join(if crlf { "\r\n" } else { "\n" });
                if cut { text } else { text + if crlf { "\r\n" } else { "\n" } }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_second_set_changes_nothing_and_lines_nobody_meant_stay(text in forms()) {
            let Ok(once) = set(&text, &all()) else { return Ok(()) };
            prop_assert_eq!(&set(&once, &all()).unwrap(), &once);
            let (gone, _) = changed(&text, &once);
            for line in gone {
                let known = ["value:", "CIDR", "cidr:", "encapsulation:", "blockSize:", "Network", "name:"];
                prop_assert!(known.iter().any(|word| line.contains(word)), "{} went from {}", line, text);
            }
            prop_assert_eq!(once.matches("\r\n").count() == once.matches('\n').count(), text.contains("\r\n"));
        }

        #[test]
        fn what_was_set_is_what_is_read(text in forms()) {
            let Ok(once) = set(&text, &all()) else { return Ok(()) };
            let stream = Stream::parse(&once).unwrap();
            for setting in settings(&stream, false).unwrap() {
                if let Some(value) = all().of(&setting) {
                    prop_assert!(says(&setting, &value), "{:?} in {}", setting, once);
                }
            }
        }
    }
}
