use super::*;
use model::Status;
use proptest::prelude::*;

const PLATFORM: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/examples/platform.yaml"));

fn judged(release: &str, text: Option<&str>) -> Judgement {
    let platform = platform::parse(PLATFORM).unwrap();
    let host = platform.host("w1").unwrap();
    let mut want = Want::new(&platform, host, release.parse().unwrap());
    want.minor = 35;
    judge(text, host, &want)
}

/// The checks that do not pass.
fn wrong(release: &str, text: &str) -> Vec<String> {
    let report = judged(release, Some(text)).report;
    let all = report.findings.into_iter().map(|judged| judged.finding);
    all.filter(|f| f.status != Status::Pass && f.check != "release").map(|f| f.check).collect()
}

fn wanted(release: &str, text: &str) -> String {
    let judgement = judged(release, Some(text));
    assert_eq!(judgement.refusals, [""; 0], "{text}");
    judgement.text.as_str().to_owned()
}

#[test]
fn without_a_file_each_release_gets_its_own() {
    assert_eq!(
        judged("1.7", None).text.as_str(),
        "version = 2\n\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n\
         runtime_type = \"io.containerd.runc.v2\"\n\n\
         [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\nSystemdCgroup = true\n\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"registry.k8s.io/pause:3.10.2\"\n"
    );
    for (release, version) in [("2.0", 3), ("2.2", 3), ("2.3", 4)] {
        assert_eq!(
            judged(release, None).text.as_str(),
            format!(
                "version = {version}\n\n[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.runc]\n\
                 runtime_type = \"io.containerd.runc.v2\"\n\n\
                 [plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.runc.options]\nSystemdCgroup = true\n\n\
                 [plugins.\"io.containerd.cri.v1.images\".pinned_images]\nsandbox = \"registry.k8s.io/pause:3.10.2\"\n"
            )
        );
    }
}

#[test]
fn a_version_the_release_does_not_know_is_lowered() {
    assert!(wanted("1.6", "version = 3\n").starts_with("version = 2\n"));
    assert!(wanted("2.1", "version = 4 # new\n").starts_with("version = 3 # new\n"));
    assert!(wrong("2.1", "version = 4\n").contains(&"version".to_owned()));
}

#[test]
fn an_older_version_keeps_its_layout() {
    let text = wanted("2.3", "version = 2\n");
    assert!(text.contains("grpc.v1.cri\".containerd.runtimes.runc.options]\nSystemdCgroup = true"), "{text}");
    assert!(!text.contains("cri.v1.runtime"));
}

#[test]
fn a_missing_version_is_put_first_and_version_1_is_refused() {
    let named = "# ours\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = \"/opt/cni/bin\"\n";
    assert!(wanted("1.7", named).starts_with("version = 2\n# ours\n"));
    assert!(wanted("2.3", named).starts_with("version = 2\n# ours\n"));
    assert!(wanted("2.3", "oom_score = 0\n").starts_with("version = 4\noom_score = 0\n"));
    let docker = "disabled_plugins = [\"cri\"]\n";
    assert!(wanted("1.7", docker).starts_with("version = 2\ndisabled_plugins = []\n"));
    for old in ["[plugins.cri]\nsandbox_image = \"x\"\n", "disabled_plugins = [\"cri\", \"aufs\"]\n"] {
        assert_eq!(judged("1.7", Some(old)).refusals.len(), 1, "{old}");
    }
}

#[test]
fn every_runtime_of_runcs_kind_gets_the_option_and_no_other() {
    let table = "plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes";
    let text = format!(
        "version = 3\n[{table}.runc]\n[{table}.nvidia]\nruntime_type = \"io.containerd.runc.v2\"\n\
         options = {{ BinaryName = \"n\" }}\n[{table}.kata]\nruntime_type = \"io.containerd.kata.v2\"\n"
    );
    let wanted = wanted("2.0", &text);
    assert!(wanted.contains("options = { BinaryName = \"n\", SystemdCgroup = true }"), "{wanted}");
    assert!(
        wanted.contains(&format!("[{table}.runc]\nruntime_type = \"io.containerd.runc.v2\"\n")),
        "{wanted}"
    );
    assert_eq!(wanted.matches("SystemdCgroup").count(), 2);
}

#[test]
fn the_directory_of_cni_programs_is_told_as_the_release_reads_it() {
    let old = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  bin_dir = \"/usr/lib/cni\"\n";
    assert!(wanted("1.6", old).contains("  bin_dir = \"/opt/cni/bin\"\n"));
    let new = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/usr/lib/cni']\n";
    assert!(wanted("2.1", new).contains("bin_dirs = ['/usr/lib/cni', \"/opt/cni/bin\"]"));
    assert!(!wrong("1.6", "version = 2\n").contains(&"cni-bin".to_owned()), "the default is right");
}

#[test]
fn registries_set_up_in_two_ways_fail_and_in_the_old_way_warn() {
    let registry = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n";
    let mirror = "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"docker.io\"]\nendpoint = []\n";
    let path = "config_path = \"/etc/containerd/certs.d\"\n";
    let status = |text: &str| {
        let found = judged("1.7", Some(text)).report.findings;
        found.into_iter().find(|judged| judged.finding.check == "registry").unwrap().finding.status
    };
    assert_eq!(status(&format!("{registry}{path}{mirror}")), Status::Fail);
    assert_eq!(status(&format!("{registry}{mirror}")), Status::Warn);
    assert_eq!(status(&format!("{registry}{path}")), Status::Pass);
}

#[test]
fn sections_of_another_version_are_told() {
    let docs = "version = 3\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"x\"\n";
    assert!(wrong("2.0", docs).contains(&"section-ignored".to_owned()));
}

#[test]
fn kubernetes_1_36_needs_containerd_2() {
    let platform = platform::parse(PLATFORM).unwrap();
    let host = platform.host("w1").unwrap();
    let want = Want::new(&platform, host, "1.7".parse().unwrap());
    let found = judge(None, host, &want).report.findings.remove(0).finding;
    assert_eq!((found.check.as_str(), found.status), ("release", Status::Fail));
}

proptest! {
    /// Whatever form a file has, what is wanted of it is right, wanted once, and nothing else in it changed.
    #[test]
    fn what_is_wanted_is_right_and_stays(
        release in prop::sample::select(vec!["1.6", "1.7", "2.0", "2.1", "2.3"]),
        version in prop::sample::select(vec!["", "version = 2\n", "version = 3\n", "version = 4\n"]),
        head in prop::sample::select(vec!["", "# ours\n", "oom_score = 0\n", "disabled_plugins = [\n  \"cri\", # no\n  \"io.containerd.grpc.v1.cri\",\n]\n"]),
        quote in prop::sample::select(vec!["'", "\""]),
        body in prop::sample::subsequence(vec![
            "[plugins.@]\n  # inner\n", "sandbox_image = 'x'\n", "[plugins.@.cni]\n  bin_dir = \"/usr/lib/cni\" # debian\n",
            "[plugins.@.containerd]\n", "default_runtime_name = \"runc\"\n", "  [plugins.@.containerd.runtimes.runc]\n",
            "    runtime_type = \"io.containerd.runc.v2\"\n", "    [plugins.@.containerd.runtimes.runc.options]\n",
            "      SystemdCgroup = false\n", "      BinaryName = \"\"", "\n\n# end\n",
        ], 0..11),
        crlf in any::<bool>(),
    ) {
        let plugin = if version == "version = 2\n" || version.is_empty() { GRPC } else { RUNTIME };
        let body = body.concat().replace('@', &format!("{quote}{plugin}{quote}"));
        let text = format!("{version}{head}{body}");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        if Text::parse(text.as_str()).is_ok() {
            let first = judged(release, Some(&text));
            prop_assert!(first.refusals.is_empty(), "{:?} of {text:?}", first.refusals);
            let again = judged(release, Some(first.text.as_str()));
            prop_assert_eq!(first.text.as_str(), again.text.as_str());
            let left: Vec<_> = again.report.findings.iter().filter(|judged| judged.mended).collect();
            prop_assert!(left.is_empty(), "{left:?}");
            prop_assert_eq!(first.text.as_str().contains('\r'), text.contains('\r'));
            for comment in ["# ours", "# inner", "# debian", "# end"] {
                prop_assert_eq!(first.text.as_str().contains(comment), text.contains(comment));
            }
        }
    }
}
