//! The certificates of a kubeconfig: whom it believes, and who it is.

use data_encoding::BASE64;
use document::{Field, Problem, Problems};

use crate::{Certificate, certificates};

/// A certificate's place in a kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The field, such as `users[0].user.client-certificate-data`.
    pub field: String,
    /// Its line, from 1.
    pub line: u32,
    /// What is there.
    pub what: Material,
}

/// What a kubeconfig has of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// The certificates themselves.
    Inside(Vec<Certificate>),
    /// The file they are in, as it is written.
    File(String),
}

/// The certificates of all clusters and users of a kubeconfig, in its order.
///
/// # Errors
/// All that is wrong with it. No message quotes what it holds.
pub fn kubeconfig(text: &str) -> Result<Vec<Held>, Vec<Problem>> {
    let tree = document::parse(text)?;
    let problems = Problems::default();
    let root = Field::root(&tree, &problems);
    let mut found = Vec::new();
    if let Some(mut keys) = root.keys() {
        let lists = [
            ("clusters", "cluster", "certificate-authority", "certificate-authority-data"),
            ("users", "user", "client-certificate", "client-certificate-data"),
        ];
        let mut any = false;
        for (list, inside, file, data) in lists {
            let Some(entries) = keys.get(list) else { continue };
            any = true;
            let entries = entries.list(|entry| entry.keys()?.get(inside)?.keys());
            for mut entry in entries.unwrap_or_default() {
                // As kubectl does: data comes before the file.
                let held = match entry.get(data) {
                    Some(data) => inside_of(&data).map(|what| (data, what)),
                    None => {
                        entry.get(file).and_then(|file| Some((file.clone(), Material::File(file.text()?))))
                    }
                };
                found.extend(held.map(|(field, what)| Held {
                    line: tree.locate(field.path()).0,
                    field: field.path().to_owned(),
                    what,
                }));
            }
        }
        if !any {
            root.wrong("it is no kubeconfig: neither clusters nor users are in it");
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems.into_sorted()) }
}

fn inside_of(data: &Field) -> Option<Material> {
    let text: String = data.text()?.split_whitespace().collect();
    let pem = BASE64.decode(text.as_bytes()).map_err(|_| data.wrong("it is no base64")).ok()?;
    certificates(&pem).map_err(|error| data.wrong(error)).ok().map(Material::Inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pem(name: &str) -> String {
        rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn certificates_of_clusters_and_users_are_found_with_their_lines() {
        let (ca, own) = (BASE64.encode(pem("ca").as_bytes()), BASE64.encode(pem("admin").as_bytes()));
        let text = format!(
            "kind: Config\nclusters:\n- name: lab\n  cluster:\n    server: https://10.0.0.1:6443\n    certificate-authority-data: {ca}\nusers:\n- name: admin\n  user:\n    client-certificate-data: {own}\n    client-key-data: x\n- name: kubelet\n  user: {{client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem}}\n- name: token\n  user: {{token: x}}\n"
        );
        let found = kubeconfig(&text).unwrap();
        let places: Vec<_> = found.iter().map(|held| (held.field.as_str(), held.line)).collect();
        assert_eq!(
            places,
            [
                ("clusters[0].cluster.certificate-authority-data", 6),
                ("users[0].user.client-certificate-data", 10),
                ("users[1].user.client-certificate", 13)
            ]
        );
        assert!(matches!(&found[1].what, Material::Inside(own) if own[0].names == ["admin"]));
        assert!(matches!(&found[2].what, Material::File(file) if file.ends_with("current.pem")));
    }

    #[test]
    fn what_is_wrong_is_told_without_what_it_holds() {
        let text = "clusters:\n- cluster: {certificate-authority-data: '%secret'}\nusers:\n- user: {client-certificate-data: c2VjcmV0}\n";
        let problems = kubeconfig(text).unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "line 2 column 41: clusters[0].cluster.certificate-authority-data: it is no base64",
                "line 4 column 35: users[0].user.client-certificate-data: no certificate in it"
            ]
        );
        assert!(kubeconfig("a: 1\n").is_err() && kubeconfig("- 1\n").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}", data in "[A-Za-z0-9+/=]{0,64}") {
            let _ = kubeconfig(&text);
            let _ = kubeconfig(&format!("users:\n- user: {{client-certificate-data: {data}}}\n"));
            let _ = certificates(text.as_bytes());
            let _ = certificates(format!("-----BEGIN CERTIFICATE-----\n{data}\n-----END CERTIFICATE-----\n").as_bytes());
        }
    }
}
