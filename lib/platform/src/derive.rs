//! What follows from the rest of the document: interfaces, ports, priorities.

use crate::model::{Platform, Role};

/// Fills in what the balancers leave to be derived.
pub(crate) fn derive(platform: &mut Platform) {
    let Some(balancing) = &mut platform.load_balancing else { return };
    balancing.port.get_or_insert(platform.network.api_port);
    let interface = balancing.interface.clone();
    let mut balancers: Vec<_> = platform.hosts.iter_mut().filter(|host| host.is(Role::Lb)).collect();
    let spacing = spacing(balancers.len());
    let given = balancers.iter().any(|host| host.priority.is_some());
    for (place, host) in balancers.iter_mut().enumerate() {
        if host.interface.is_none() {
            host.interface.clone_from(&interface);
        }
        if !given {
            let below = u8::try_from(place).unwrap_or(u8::MAX).saturating_mul(spacing);
            host.priority = Some(254_u8.saturating_sub(below).max(1));
        }
    }
}

/// How far apart derived priorities lie.
///
/// A backup waits (256 - priority)/256 of the advertisement interval longer
/// than three of them (RFC 9568, section 6.1): the higher, the sooner it
/// takes over. Two balancers need no room between them; more keep some, so
/// that two never wake at the same moment.
fn spacing(balancers: usize) -> u8 {
    match balancers {
        0..=2 => 1,
        _ => 10,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{EXAMPLE, edited};

    fn priorities(text: &str) -> Vec<Option<u8>> {
        crate::parse(text).unwrap().balancers().map(|host| host.priority).collect()
    }

    #[test]
    fn two_balancers_stand_as_high_as_they_can() {
        assert_eq!(priorities(EXAMPLE), [Some(254), Some(253)]);
    }

    #[test]
    fn three_balancers_keep_a_distance() {
        let three = edited("hosts:\n", "hosts:\n  - {name: lb3, roles: [lb], ip: 10.77.0.13}\n");
        assert_eq!(priorities(&three), [Some(254), Some(244), Some(234)]);
    }

    #[test]
    fn what_the_writer_chose_is_left_alone() {
        let chosen = edited("ip: 10.77.0.11}", "ip: 10.77.0.11, priority: 100}");
        let chosen = chosen.replace("ip: 10.77.0.12}", "ip: 10.77.0.12, priority: 200}");
        assert_eq!(priorities(&chosen), [Some(100), Some(200)]);
    }

    #[test]
    fn balancers_take_the_common_interface_and_port() {
        let platform = crate::parse(EXAMPLE).unwrap();
        assert_eq!(platform.host("lb1").unwrap().interface.as_deref(), Some("eth0"));
        assert_eq!(platform.host("cp1").unwrap().interface, None);
        assert_eq!(platform.balanced_port(), 6443);
    }
}
