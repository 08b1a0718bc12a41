//! How packets are wrapped.

use calico::{Form, Name, encap_word, wrappings};
use model::{Finding, Severity};
use net::Family;
use platform::Encap;

use super::{FIXED, IPPOOL, Manifest};

impl Manifest<'_, '_> {
    /// How packets are wrapped: whether that makes sense, and whether the platform wants it so.
    pub(super) fn wrapping(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for wrapping in wrappings(self.settings).iter().filter(|wrapping| wrapping.by.form != Form::Canal) {
            let current = Some(wrapping.said.clone()).filter(|said| !said.is_empty());
            let six = wrapping.by.family == Some(Family::V6);
            let wanted =
                self.platform.and_then(|platform| platform.cluster.cni.as_ref()).map(|cni| cni.encap);
            let wanted = wanted.filter(|_| !six || self.pods(Some(Family::V6)).is_some());
            let want = wanted.map(|encap| encap_word(encap).to_owned());
            let Some(encap) = wrapping.encap else {
                let why = "IP in IP and VXLAN contradict each other, or one says what Calico does not know";
                let reference = Some(IPPOOL.to_owned());
                let severity = Severity::Critical;
                found.push(Finding {
                    severity,
                    current,
                    want,
                    reference,
                    ..self.fail(wrapping.by, "encap", why)
                });
                continue;
            };
            if wanted.is_some_and(|wanted| wanted != encap) {
                let (current, fix) = (Some(encap_word(encap).to_owned()), Some(FIXED.to_owned()));
                let why = "packets are not wrapped as the platform wants";
                found.push(Finding { current, want, fix, ..self.fail(wrapping.by, "encap", why) });
            }
            found.extend(self.backend(encap));
        }
        found
    }

    /// All but VXLAN needs BGP.
    fn backend(&self, encap: Encap) -> Option<Finding> {
        let mut backends = self.active(Name::Backend, None);
        let off = backends.find(|backend| matches!(backend.value.as_deref(), Some("vxlan" | "Disabled")))?;
        let (want, fix) = match off.form {
            Form::Operator => ("Enabled", "spec.calicoNetwork.bgp: Enabled; or an encapsulation of VXLAN"),
            _ => ("bird", "calico_backend: bird, with -bird-live and -bird-ready in the probes; or VXLAN"),
        };
        let why = format!("without BGP nobody tells the nodes the routes that {} needs", encap_word(encap));
        let (severity, want, fix) = (Severity::Critical, Some(want.into()), Some(fix.into()));
        let needed = !matches!(encap, Encap::Vxlan | Encap::VxlanCrossSubnet);
        needed.then(|| Finding { severity, want, fix, ..self.fail(off, "backend", why) })
    }
}
