//! The same things in the words of the platform document, of the variables
//! and of the operator.

use platform::Encap;

const ENCAPS: [(Encap, &str, &str); 5] = [
    (Encap::None, "none", "None"),
    (Encap::Ipip, "ipip", "IPIP"),
    (Encap::IpipCrossSubnet, "ipip-cross-subnet", "IPIPCrossSubnet"),
    (Encap::Vxlan, "vxlan", "VXLAN"),
    (Encap::VxlanCrossSubnet, "vxlan-cross-subnet", "VXLANCrossSubnet"),
];

/// The platform document's word for a wrapping.
pub fn encap_word(encap: Encap) -> &'static str {
    ENCAPS.iter().find(|(known, ..)| *known == encap).map_or("none", |(_, word, _)| word)
}

/// The wrapping of a platform document's word.
///
/// # Errors
/// Fails with the words there are.
pub fn encap_named(word: &str) -> Result<Encap, String> {
    let found = ENCAPS.iter().find(|(_, known, _)| *known == word).map(|(encap, ..)| *encap);
    found.ok_or_else(|| format!("`{word}` is none of: {}", ENCAPS.map(|(_, word, _)| word).join(", ")))
}

pub(crate) fn operator_word(encap: Encap) -> &'static str {
    ENCAPS.iter().find(|(known, ..)| *known == encap).map_or("None", |(.., word)| word)
}

pub(crate) fn operator_encap(word: &str) -> Option<Encap> {
    ENCAPS.iter().find(|(.., known)| *known == word).map(|(encap, ..)| *encap)
}

/// How far a way of wrapping goes: the value of `CALICO_IPV4POOL_IPIP` and
/// `CALICO_IPV4POOL_VXLAN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not at all.
    Never,
    /// Between subnets.
    CrossSubnet,
    /// Always.
    Always,
}

/// The mode a variable's value stands for; none if Calico would not start with it.
pub fn mode(value: &str) -> Option<Mode> {
    // As calico/node's createIPPool reads them.
    match value.to_lowercase().as_str() {
        "" | "off" | "never" => Some(Mode::Never),
        "crosssubnet" | "cross-subnet" => Some(Mode::CrossSubnet),
        "always" => Some(Mode::Always),
        _ => None,
    }
}

/// The wrapping two variables make together; none if they contradict each other.
pub fn encap(ipip: Mode, vxlan: Mode) -> Option<Encap> {
    match (ipip, vxlan) {
        (Mode::Never, Mode::Never) => Some(Encap::None),
        (Mode::Always, Mode::Never) => Some(Encap::Ipip),
        (Mode::CrossSubnet, Mode::Never) => Some(Encap::IpipCrossSubnet),
        (Mode::Never, Mode::Always) => Some(Encap::Vxlan),
        (Mode::Never, Mode::CrossSubnet) => Some(Encap::VxlanCrossSubnet),
        _ => None,
    }
}

/// The values of `CALICO_IPV4POOL_IPIP` and `CALICO_IPV4POOL_VXLAN`.
pub(crate) fn modes(encap: Encap) -> (&'static str, &'static str) {
    match encap {
        Encap::None => ("Never", "Never"),
        Encap::Ipip => ("Always", "Never"),
        Encap::IpipCrossSubnet => ("CrossSubnet", "Never"),
        Encap::Vxlan => ("Never", "Always"),
        Encap::VxlanCrossSubnet => ("Never", "CrossSubnet"),
    }
}

/// Judges a way to find a node's address, in the words of the platform
/// document and of `IP_AUTODETECTION_METHOD`.
///
/// # Errors
/// Fails with the ways there are.
pub fn autodetect(method: &str) -> Result<String, String> {
    let known = match method.split_once('=') {
        None => ["first-found", "kubernetes-internal-ip"].contains(&method),
        Some(("cidr", list)) => list.split(',').all(|cidr| cidr.parse::<net::Cidr>().is_ok()),
        Some((way, what)) => ["can-reach", "interface", "skip-interface"].contains(&way) && !what.is_empty(),
    };
    if known && !method.contains(char::is_control) {
        return Ok(method.to_owned());
    }
    Err(format!(
        "`{method}` is none of: first-found, kubernetes-internal-ip, can-reach=HOST, interface=REGEX, skip-interface=REGEX, cidr=NETWORK[,NETWORK]"
    ))
}

/// The key and value of `nodeAddressAutodetectionV4`.
pub(crate) fn operator_autodetect(method: &str) -> String {
    let quoted = yaml_splice::quoted;
    match method.split_once('=').unwrap_or((method, "")) {
        ("kubernetes-internal-ip", _) => "kubernetes: NodeInternalIP".into(),
        ("can-reach", host) => format!("canReach: {}", quoted(host)),
        ("interface", regex) => format!("interface: {}", quoted(regex)),
        ("skip-interface", regex) => format!("skipInterface: {}", quoted(regex)),
        ("cidr", list) => format!("cidrs: [{}]", list.split(',').map(quoted).collect::<Vec<_>>().join(", ")),
        _ => "firstFound: true".into(),
    }
}

/// The method a `nodeAddressAutodetectionV4` of one key stands for.
pub(crate) fn method(map: &yaml_splice::Node) -> Option<String> {
    let [(key, value)] = map.entries() else { return None };
    let text = value.text();
    Some(match key.text()? {
        "firstFound" if text == Some("true") => "first-found".into(),
        "kubernetes" if text == Some("NodeInternalIP") => "kubernetes-internal-ip".into(),
        "canReach" => format!("can-reach={}", text?),
        "interface" => format!("interface={}", text?),
        "skipInterface" => format!("skip-interface={}", text?),
        "cidrs" => {
            let cidrs: Option<Vec<_>> = value.items().iter().map(yaml_splice::Node::text).collect();
            format!("cidr={}", cidrs?.join(","))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use yaml_splice::Stream;

    #[test]
    fn every_method_comes_back_from_the_operators_words() {
        for way in [
            "first-found",
            "kubernetes-internal-ip",
            "can-reach=10.0.0.1",
            "interface=^eth\\d+$",
            "skip-interface=br-.*",
            "cidr=10.0.0.0/24,fd00::/64",
        ] {
            assert_eq!(autodetect(way).as_deref(), Ok(way));
            let text = operator_autodetect(way);
            assert_eq!(
                method(&Stream::parse(&text).unwrap().documents[0].root).as_deref(),
                Some(way),
                "{text}"
            );
        }
        for way in ["", "first", "interface=", "cidr=10.0.0.1/24", "cidr", "can-reach=\n"] {
            assert!(autodetect(way).is_err(), "{way}");
        }
    }

    #[test]
    fn every_wrapping_comes_back_from_its_two_variables() {
        for (known, word, operator) in ENCAPS {
            let (ipip, vxlan) = modes(known);
            assert_eq!(encap(mode(ipip).unwrap(), mode(vxlan).unwrap()), Some(known));
            assert_eq!((encap_named(word), operator_encap(operator)), (Ok(known), Some(known)));
        }
        assert_eq!(encap(Mode::Always, Mode::CrossSubnet), None);
        assert_eq!(mode("true"), None);
    }
}
