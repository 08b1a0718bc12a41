//! The clock: somebody has to keep it right.
//!
//! Certificates, leases and etcd go by it.

use change::Wanted;

use crate::Machine;
use crate::machine::UNITS;
use change::Report;

/// Services that keep the clock; the same daemon goes by several names.
const SERVICES: [&str; 8] = [
    "chronyd.service",
    "chrony.service",
    "ntpd.service",
    "ntp.service",
    "ntpsec.service",
    "openntpd.service",
    "ntpd-rs.service",
    TIMESYNCD,
];
const TIMESYNCD: &str = "systemd-timesyncd.service";
const BUS: &str = "dbus-org.freedesktop.timesync1.service";

pub(crate) fn look(machine: &Machine, report: &mut Report) {
    if machine.is_container() {
        report.not_applicable("time", "the clock is that of the machine this container runs on");
        return;
    }
    if let Some(service) = SERVICES.iter().find(|service| machine.is_enabled(service)) {
        report.pass("time", "a service keeps the clock").current(*service);
        synchronised(machine, report);
        return;
    }
    let installed = machine.unit(TIMESYNCD).filter(|_| !machine.is_masked(TIMESYNCD));
    let Some(unit) = installed else {
        report
            .fails("time", "nothing keeps the clock, and certificates and etcd go by it")
            .want("chrony, systemd-timesyncd or another")
            .fix("install chrony");
        return;
    };
    report.mends("time", "nothing keeps the clock, and systemd-timesyncd is installed").want(TIMESYNCD);
    for link in [format!("{UNITS}/sysinit.target.wants/{TIMESYNCD}"), format!("{UNITS}/{BUS}")] {
        report.wanted.push(Wanted::link(link, &unit));
    }
    if machine.kernel_has("/run/systemd/system") {
        report.wanted.push(Wanted::setting(format!("service {TIMESYNCD}"), Some("active")));
    }
}

/// systemd-timesyncd leaves a file once it has the time; others are not asked:
/// that would start a program.
fn synchronised(machine: &Machine, report: &mut Report) {
    if !machine.kernel_has("/run/systemd/timesync") {
        return;
    }
    if machine.kernel_has("/run/systemd/timesync/synchronized") {
        report.pass("time-synchronised", "the clock was set by a server");
    } else {
        report
            .warns("time-synchronised", "no server has set the clock since boot")
            .fix("see `timedatectl timesync-status`");
    }
}
