//! Keys as `GnuPG` makes them, judged by `gpg --show-keys`.

use std::path::Path;
use std::process::{Command, Output};

/// What one of the two says of a keyring: each key with its subkeys.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    fingerprint: String,
    created: u64,
    expires: Option<u64>,
    revoked: bool,
    user_ids: Vec<String>,
    subkeys: Vec<(String, u64, Option<u64>, bool)>,
}

/// What is done to a key after it is made, one after the other.
const LIVES: [&[&[&str]]; 9] = [
    &[],
    &[&["--quick-set-expire", "FPR", "3y"]],
    &[&["--quick-set-expire", "FPR", "1d"], &["--quick-set-expire", "FPR", "0"]],
    &[&["--quick-add-uid", "FPR", "Second <two@example.org>"]],
    &[&["--quick-add-uid", "FPR", "Second <two@example.org>"], &["--quick-set-expire", "FPR", "2y"]],
    &[
        &["--quick-add-uid", "FPR", "Second <two@example.org>"],
        &["--quick-revoke-uid", "FPR", "Second <two@example.org>"],
    ],
    &[
        &["--quick-add-key", "FPR", "ed25519", "sign", "6m"],
        &["--quick-add-key", "FPR", "cv25519", "encr", "never"],
    ],
    &[&["--quick-add-key", "FPR", "ed25519", "sign", "1m"], &["--quick-set-expire", "FPR", "5y", "*"]],
    &[&["--quick-add-key", "FPR", "rsa2048", "sign", "1y"]],
];

#[test]
fn gpg_says_the_same() {
    if Command::new("gpg").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "gpg is missing");
        return;
    }
    for (life, expire) in
        LIVES.into_iter().zip(["never", "2y", "1y", "never", "1d", "3y", "never", "0", "2030-01-01"])
    {
        let home = Home::new();
        // One second apart, so that no two signatures are of one time.
        let mut second = 0;
        home.gpg(second, &["--quick-gen-key", "First <one@example.org>", "ed25519", "sign", expire]);
        let fingerprint = said_by_gpg(&home.gpg(second, &["--export"]).stdout)[0].fingerprint.clone();
        for step in life {
            second += 1;
            let step: Vec<_> =
                step.iter().map(|word| if *word == "FPR" { fingerprint.as_str() } else { word }).collect();
            home.gpg(second, &step);
        }
        for export in [&["--export"][..], &["--armor", "--export"]] {
            let keyring = home.gpg(second, export).stdout;
            assert_eq!(said_by_us(&keyring), said_by_gpg(&keyring), "{life:?} from {expire}");
        }
    }
}

#[test]
fn gpg_says_the_same_of_several_keys_and_of_a_revoked_one() {
    if Command::new("gpg").arg("--version").output().is_err() {
        return;
    }
    let home = Home::new();
    home.gpg(0, &["--quick-gen-key", "First <one@example.org>", "ed25519", "sign", "1y"]);
    home.gpg(0, &["--quick-gen-key", "Second <two@example.org>", "rsa2048", "default", "never"]);
    let keyring = home.gpg(0, &["--armor", "--export"]).stdout;
    let said = said_by_us(&keyring);
    assert_eq!(said.len(), 2);
    assert_eq!(said, said_by_gpg(&keyring));
    // gpg keeps a revocation at hand, with a colon before its armour.
    let revocation = home.path().join(format!("openpgp-revocs.d/{}.rev", said[0].fingerprint));
    let text =
        std::fs::read_to_string(&revocation).expect("gpg wrote one").replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(&revocation, text).expect("it is written");
    home.gpg(1, &["--import", &revocation.display().to_string()]);
    let keyring = home.gpg(1, &["--export"]).stdout;
    let said = said_by_us(&keyring);
    assert!(said[0].revoked && !said[1].revoked);
    assert_eq!(said, said_by_gpg(&keyring));
    let secret = home.gpg(1, &["--export-secret-keys"]).stdout;
    assert_eq!(openpgp::parse(&secret), Err(openpgp::Error::Secret));
}

fn said_by_us(keyring: &[u8]) -> Vec<Said> {
    let keys = openpgp::parse(keyring).expect("gpg's keys are read").keys;
    let said = keys.into_iter().map(|key| Said {
        fingerprint: key.fingerprint,
        created: key.created,
        expires: key.expires,
        revoked: key.revoked,
        user_ids: sorted(key.user_ids),
        subkeys: sorted(
            key.subkeys
                .into_iter()
                .map(|sub| (sub.fingerprint, sub.created, sub.expires, sub.revoked))
                .collect(),
        ),
    });
    sorted_by(said.collect())
}

fn said_by_gpg(keyring: &[u8]) -> Vec<Said> {
    let home = Home::new();
    let file = home.path().join("keyring");
    std::fs::write(&file, keyring).expect("a keyring is written");
    let said =
        home.gpg(2, &["--show-keys", "--with-colons", "--fixed-list-mode", &file.display().to_string()]);
    let text = String::from_utf8(said.stdout).expect("UTF-8");
    let mut keys: Vec<Said> = Vec::new();
    let mut in_subkey = false;
    for line in text.lines() {
        let fields: Vec<_> = line.split(':').collect();
        let (created, expires) = (fields[5].parse().unwrap_or_default(), fields[6].parse().ok());
        match fields[0] {
            "pub" => {
                in_subkey = false;
                keys.push(Said { created, expires, revoked: fields[1] == "r", ..Said::default() });
            }
            "sub" => {
                in_subkey = true;
                keys.last_mut().expect("a key").subkeys.push((
                    String::new(),
                    created,
                    expires,
                    fields[1] == "r",
                ));
            }
            "fpr" => {
                let key = keys.last_mut().expect("a key");
                let place = if in_subkey {
                    &mut key.subkeys.last_mut().expect("a subkey").0
                } else {
                    &mut key.fingerprint
                };
                fields[9].clone_into(place);
            }
            "uid" if keys.last().expect("a key").revoked || fields[1] != "r" => {
                keys.last_mut().expect("a key").user_ids.push(fields[9].to_owned());
            }
            _ => {}
        }
    }
    for key in &mut keys {
        key.user_ids = sorted(std::mem::take(&mut key.user_ids));
        key.subkeys = sorted(std::mem::take(&mut key.subkeys));
        if key.revoked {
            // gpg marks all that belongs to a revoked key.
            key.subkeys.iter_mut().for_each(|sub| sub.3 = false);
        }
    }
    sorted_by(keys)
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

fn sorted_by(mut keys: Vec<Said>) -> Vec<Said> {
    keys.sort_by(|a, b| a.user_ids.cmp(&b.user_ids));
    keys
}

/// A folder of gpg's own.
struct Home(std::path::PathBuf);

impl Home {
    fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("openpgp-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder is made");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, private).expect("its mode is set");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn gpg(&self, second: u32, args: &[&str]) -> Output {
        let time = format!("20260101T0000{second:02}");
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(&self.0).args([
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ]);
        let done = command.args(["--faked-system-time", &time]).args(args).output().expect("gpg runs");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        done
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.0).args(["--kill", "all"]).output();
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
