//! The files of a balancer, from templates.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, UndefinedBehavior};
use model::WantedFile;

use crate::setup::Setup;

/// What `--file` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// haproxy.cfg
    Haproxy,
    /// keepalived.conf
    Keepalived,
    /// The sysctl file
    Sysctl,
}

/// A template, what it is called in messages, and where its file goes below /etc.
struct Template {
    source: &'static str,
    name: &'static str,
    path: &'static str,
}

/// Pairs a template file with the path its output has below /etc.
macro_rules! template {
    ($name:literal, $path:literal) => {
        Template { source: include_str!(concat!("../templates/", $name)), name: $name, path: $path }
    };
}

const HAPROXY: Template = template!("haproxy.cfg", "haproxy/haproxy.cfg");
const KEEPALIVED: Template = template!("keepalived.conf", "keepalived/keepalived.conf");
const SYSCTL: Template = template!("sysctl.conf", "sysctl.d/60-bareplane-lb.conf");
const VIPCHECK: Template = template!("vipcheck.service", "systemd/system/bareplane-vipcheck.service");
const NOTIFY: Template = template!("notify.service", "systemd/system/bareplane-notify.service");
const SERVICES: [Template; 2] = [
    template!("haproxy.service.conf", "systemd/system/haproxy.service.d/50-bareplane.conf"),
    template!("keepalived.service.conf", "systemd/system/keepalived.service.d/50-bareplane.conf"),
];
const PODS: [Template; 2] = [
    template!("haproxy.pod.yaml", "kubernetes/manifests/haproxy.yaml"),
    template!("keepalived.pod.yaml", "kubernetes/manifests/keepalived.yaml"),
];

/// Fills templates; a value that is missing is an error.
pub(crate) struct Renderer(Environment<'static>);

impl Renderer {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()?,
        );
        // Configurations are no HTML: nothing is escaped, whatever the file is called.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let all = [HAPROXY, KEEPALIVED, SYSCTL, VIPCHECK, NOTIFY].into_iter().chain(SERVICES).chain(PODS);
        for template in all {
            environment.add_template(template.name, template.source)?;
        }
        Ok(Self(environment))
    }

    /// One file.
    pub(crate) fn file(&self, setup: &Setup, kind: Kind) -> Result<WantedFile, Error> {
        let template = match kind {
            Kind::Haproxy => &HAPROXY,
            Kind::Keepalived => &KEEPALIVED,
            Kind::Sysctl => &SYSCTL,
        };
        self.render(setup, template)
    }

    /// All files a balancer needs.
    pub(crate) fn files(&self, setup: &Setup) -> Result<Vec<WantedFile>, Error> {
        let around = if setup.static_pod { &PODS } else { &SERVICES };
        let watcher = setup.watch.then_some(&VIPCHECK);
        let templates =
            [&HAPROXY, &KEEPALIVED, &SYSCTL].into_iter().chain(watcher).chain([&NOTIFY]).chain(around);
        templates.map(|template| self.render(setup, template)).collect()
    }

    fn render(&self, setup: &Setup, template: &Template) -> Result<WantedFile, Error> {
        let content = self.0.get_template(template.name)?.render(minijinja::value::Serde(setup))?;
        Ok(WantedFile {
            node: Some(setup.node.clone()),
            path: format!("{}/{}", setup.paths.etc, template.path),
            mode: "0644".into(),
            sha256: files::sha256_hex(content.as_bytes()),
            content,
        })
    }
}

#[cfg(test)]
mod tests {
    use ha::lint::{File, judge};

    use super::*;
    use crate::setup::options;

    const EXAMPLE: &str = include_str!("../../../../tests/fixtures/examples/platform.yaml");

    fn changed(changes: &[(&str, &str)]) -> String {
        changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    }

    fn rendered(document: &str, words: &[&str]) -> Vec<WantedFile> {
        let platform = platform::parse(document).unwrap();
        let renderer = Renderer::new().unwrap();
        let setups =
            platform.balancers().map(|host| Setup::new(&platform, &host.name, &options(words)).unwrap());
        setups.flat_map(|setup| renderer.files(&setup).unwrap()).collect()
    }

    fn content<'a>(files: &'a [WantedFile], path: &str) -> &'a str {
        &files.iter().find(|file| file.path.ends_with(path)).unwrap().content
    }

    const DUAL: [(&str, &str); 5] = [
        ("node_cidrs: [10.77.0.0/24]", "node_cidrs: [10.77.0.0/24, \"fd77::/64\"]"),
        ("vips: [10.77.0.100]", "vips: [10.77.0.100, \"fd77::100\"]"),
        ("ip: 10.77.0.11}", "ip: 10.77.0.11, ip6: \"fd77::11\"}"),
        ("ip: 10.77.0.12}", "ip: 10.77.0.12, ip6: \"fd77::12\"}"),
        ("advert_ms: 100", "advert_ms: 50"),
    ];
    const SCRIPT: (&str, &str) =
        ("  advert_ms: 100", "  check: {mode: script, interval_ms: 1000}\n  preempt: true\n  advert_ms: 100");

    #[test]
    fn what_we_render_passes_our_own_judgement() {
        let three = [("  - {name: cp1", "  - {name: lb3, roles: [lb], ip: 10.77.0.13}\n  - {name: cp1")];
        for document in [changed(&[]), changed(&DUAL), changed(&[SCRIPT]), changed(&three)] {
            let files: Vec<_> = rendered(&document, &[])
                .into_iter()
                .filter(|file| file.path.ends_with("haproxy.cfg") || file.path.ends_with("keepalived.conf"))
                .map(|file| File {
                    name: format!("{}{}", file.node.unwrap_or_default(), file.path),
                    text: file.content,
                })
                .collect();
            assert_eq!(judge("lb-render", &files).unwrap(), []);
        }
    }

    #[test]
    fn the_same_document_gives_the_same_bytes() {
        assert_eq!(rendered(&changed(&DUAL), &[]), rendered(&changed(&DUAL), &[]));
    }

    #[test]
    fn two_families_share_one_fate() {
        let files = rendered(&changed(&DUAL), &[]);
        let config = content(&files, "keepalived.conf");
        assert_eq!(config.matches("vrrp_instance ").count(), 2);
        assert_eq!(config.matches("track_script {").count(), 1);
        assert!(config.contains("fd77::100/128 dev eth0") && config.contains("advert_int 0.05"));
        assert!(content(&files, "haproxy.cfg").contains("bind [::]:6443 v6only"));
    }

    #[test]
    fn paths_move_with_their_folders() {
        let files = rendered(
            EXAMPLE,
            &["--etc-dir", "/lab/lb1/etc", "--run-dir", "/lab/lb1/run", "--tools-dir", "/opt/t"],
        );
        assert!(files.iter().all(|file| file.path.starts_with("/lab/lb1/etc/")));
        let all: String = files.iter().map(|file| file.content.as_str()).collect();
        for stray in [" /run/", "\"/run/", "=/run/", " /etc/", "=/etc/", "/usr/bin/"] {
            assert!(!all.contains(stray), "{stray}");
        }
        assert!(all.contains("/opt/t/ha-vipcheck --track-age /lab/lb1/run/bareplane/vip.track"));
    }

    #[test]
    fn an_old_haproxy_is_told_only_what_it_knows() {
        assert!(content(&rendered(EXAMPLE, &[]), "haproxy.cfg").contains("clitcpka-idle"));
        assert!(
            !content(&rendered(EXAMPLE, &["--haproxy-version", "2.2"]), "haproxy.cfg")
                .contains("clitcpka-idle")
        );
    }

    #[test]
    fn pods_replace_the_services_but_not_the_watcher() {
        let files = rendered(EXAMPLE, &["--static-pod", "--keepalived-image", "registry.lan/keepalived:2.2"]);
        assert!(content(&files, "manifests/keepalived.yaml").contains("image: registry.lan/keepalived:2.2"));
        assert!(!content(&files, "bareplane-vipcheck.service").contains("--pidfile"));
        assert!(!files.iter().any(|file| file.path.contains(".service.d/")));
        assert!(!content(&files, "haproxy.cfg").contains("chroot"));
    }
}
