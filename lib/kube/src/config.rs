//! The kubeconfig: where the API is, whom to believe there, who we are.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use data_encoding::BASE64;
use document::{Field, Keys, Problems, Value};
use http::{Identity, Options, Token, Trust};

use crate::{Error, Result};

/// Far above any certificate or key.
const PEM_BYTES: u64 = 1 << 20;

/// What the current context of a kubeconfig says.
#[derive(Clone)]
pub struct Config {
    server: String,
    /// What is asked: the server, under the name its certificate has.
    pub(crate) url: String,
    pub(crate) options: Options,
    expires: Option<SystemTime>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads a kubeconfig file; the files it names are sought beside it.
    ///
    /// # Errors
    /// Fails if it cannot be read, and with all that is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        let text = files::read(path, document::LIMIT_BYTES)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&String::from_utf8_lossy(&text), folder)
    }

    /// Reads a kubeconfig; the files it names are sought below `folder`.
    ///
    /// # Errors
    /// All that is wrong with it. No message quotes a secret.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let tree = document::parse(text).map_err(Error::Config)?;
        let problems = Problems::default();
        match read(&Field::root(&tree, &problems), folder) {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Error::Config(problems.into_sorted())),
        }
    }

    /// The server, as the kubeconfig has it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The address or name of the server.
    pub fn host(&self) -> &str {
        host_and_port(&self.server).map_or("", |(host, _)| host)
    }

    /// The same credentials and authority for another server, such as `https://10.0.0.11:6443`.
    #[must_use]
    pub fn at(&self, server: &str) -> Self {
        let options = Options { resolve: Vec::new(), ..self.options.clone() };
        Self { server: server.to_owned(), url: server.to_owned(), options, expires: self.expires }
    }

    /// When the certificate we show expires; `None` if we show none.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

fn read(root: &Field, folder: &Path) -> Option<Config> {
    let mut keys = root.keys()?;
    let current = keys.required("current-context", Field::text)?;
    let mut context = named(root, &mut keys, ("contexts", "context"), &current)?.keys()?;
    let cluster = context.required("cluster", Field::text);
    let user = context.optional("user", Field::text);
    let mut cluster = named(root, &mut keys, ("clusters", "cluster"), &cluster?)?.keys()?;
    let user = match user.filter(|user| !user.is_empty()) {
        Some(user) => Some(named(root, &mut keys, ("users", "user"), &user)?),
        None => None,
    };
    let who = match user {
        Some(user) => credentials(&user, folder),
        None => Some(Credentials::default()),
    };
    let trust = match material(&mut cluster, "certificate-authority", folder) {
        Found::Nothing => Some(Trust::System),
        Found::Pem(pem) => Some(Trust::Ca(pem)),
        Found::Wrong => None,
    };
    if let Some(insecure) = cluster.get("insecure-skip-tls-verify")
        && insecure.value() == &Value::Boolean(true)
    {
        insecure.wrong_hint("anybody could be the server", "name its authority: certificate-authority-data");
    }
    if let Some(proxy) = cluster.get("proxy-url") {
        proxy.wrong("proxies are not used");
    }
    let name = cluster.optional("tls-server-name", Field::text);
    let server = cluster.required("server", |field| server(field, who.as_ref()))?;
    let who = who?;
    let (url, resolve) = match name.filter(|name| !name.is_empty()) {
        None => (server.clone(), Vec::new()),
        Some(name) => {
            let (host, port) = host_and_port(&server)?;
            let Ok(address) = host.parse::<IpAddr>() else {
                root.wrong("tls-server-name is taken for a server with an address, not for one with a name");
                return None;
            };
            (format!("https://{name}:{port}"), vec![(name, SocketAddr::new(address, port))])
        }
    };
    let options = Options { trust: trust?, identity: who.identity, token: who.token, resolve, redirects: 0 };
    Some(Config { server, url, options, expires: who.expires })
}

/// The value of the entry of a list that has this name.
fn named<'a>(
    root: &Field<'a>,
    keys: &mut Keys<'a>,
    (list, inside): (&'static str, &'static str),
    name: &str,
) -> Option<Field<'a>> {
    let entries = keys.required(list, |field| {
        field.list(|entry| {
            let mut keys = entry.keys()?;
            let own = keys.required("name", Field::text)?;
            Some((own, keys.get(inside)))
        })
    })?;
    match entries.into_iter().find(|(own, _)| own == name) {
        Some((_, Some(value))) => Some(value),
        Some((_, None)) => {
            root.wrong(format!("the {inside} `{name}` is empty"));
            None
        }
        None => {
            root.wrong(format!("there is no {inside} `{name}`"));
            None
        }
    }
}

/// `https://HOST[:PORT]`, in one form.
fn server(field: &Field, who: Option<&Credentials>) -> Option<String> {
    let text = field.text()?;
    let text = text.trim_end_matches('/');
    let (scheme, _) = text.split_once("://").unwrap_or_default();
    let Some((_, _)) = host_and_port(text).filter(|_| ["https", "http"].contains(&scheme)) else {
        field.wrong_hint("is not the URL of a server", "such as https://10.0.0.10:6443");
        return None;
    };
    if scheme == "http" && who.is_some_and(|who| who.token.is_some()) {
        field.wrong_hint("anybody could read the token on its way", "https");
        return None;
    }
    Some(text.to_owned())
}

/// The host of a URL without brackets, and its port.
fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let usual = if scheme == "http" { 80 } else { 443 };
    let port = port.map_or(Some(usual), |port| port.parse().ok().filter(|port| *port > 0))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port))
}

/// Who we are.
#[derive(Default)]
struct Credentials {
    identity: Option<Identity>,
    token: Option<Token>,
    expires: Option<SystemTime>,
}

fn credentials(user: &Field, folder: &Path) -> Option<Credentials> {
    let mut keys = user.keys()?;
    for other in ["exec", "auth-provider", "username", "password", "as"] {
        if let Some(field) = keys.get(other) {
            field.wrong_hint(
                "is not taken: only client certificates and tokens are",
                "kubeadm's admin.conf has a client certificate",
            );
        }
    }
    let mut who = Credentials::default();
    let certificate = material(&mut keys, "client-certificate", folder);
    let key = material(&mut keys, "client-key", folder);
    match (certificate, key) {
        (Found::Pem(certificate), Found::Pem(key)) => {
            match x509::certificates(&certificate) {
                Ok(found) => who.expires = found.first().map(|first| first.not_after),
                Err(error) => user.wrong(format!("the client certificate: {error}")),
            }
            who.identity = Some(Identity::pem(&certificate, &key));
        }
        (Found::Nothing, Found::Nothing) => {}
        (Found::Pem(_), Found::Nothing) => user.wrong("a client certificate without its key"),
        (Found::Nothing, Found::Pem(_)) => user.wrong("a key without its client certificate"),
        _ => return None,
    }
    // The file is what client-go takes, if there are both.
    let file = keys.optional("tokenFile", Field::text).filter(|file| !file.is_empty());
    let token = keys.optional("token", secret).filter(|token| !token.is_empty());
    who.token = file.map(|file| Token::File(folder.join(file))).or(token.map(Token::Text));
    Some(who)
}

/// Text that no message quotes.
fn secret(field: &Field) -> Option<String> {
    match field.value() {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        _ => {
            field.wrong("text is wanted here");
            None
        }
    }
}

/// A certificate or a key.
enum Found {
    Nothing,
    Pem(Vec<u8>),
    /// A problem has been noted.
    Wrong,
}

/// What stands under `NAME-data`, else what is in the file under `NAME`.
fn material(keys: &mut Keys, name: &'static str, folder: &Path) -> Found {
    let data = match name {
        "certificate-authority" => "certificate-authority-data",
        "client-certificate" => "client-certificate-data",
        _ => "client-key-data",
    };
    if let Some(field) = keys.get(data) {
        let Some(text) = secret(&field) else { return Found::Wrong };
        let text: String = text.split_whitespace().collect();
        match BASE64.decode(text.as_bytes()) {
            Ok(pem) if !pem.is_empty() => return Found::Pem(pem),
            Ok(_) => {}
            Err(_) => {
                field.wrong("is not base64");
                return Found::Wrong;
            }
        }
    }
    let Some(field) = keys.get(name) else { return Found::Nothing };
    let Some(file) = field.text() else { return Found::Wrong };
    if file.is_empty() {
        return Found::Nothing;
    }
    match files::read(&PathBuf::from(folder).join(file), PEM_BYTES) {
        Ok(pem) => Found::Pem(pem),
        Err(error) => {
            let text = error.to_string();
            field.wrong(text.split(" (os error").next().unwrap_or_default());
            Found::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: me@lab\npreferences: {{}}\n\
             contexts:\n- name: other\n  context: {{cluster: gone, user: gone}}\n\
             - name: me@lab\n  context: {{cluster: lab, user: me}}\n\
             clusters:\n- name: lab\n  cluster: {{{cluster}}}\nusers:\n- name: me\n  user: {{{user}}}\n"
        )
    }

    const SERVER: &str = "server: 'https://10.0.0.10:6443/'";

    fn parsed(cluster: &str, user: &str) -> Result<Config> {
        Config::parse(&with(cluster, user), Path::new("/nowhere"))
    }

    fn wrong(cluster: &str, user: &str) -> String {
        parsed(cluster, user).unwrap_err().to_string()
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["me".into()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn embedded_credentials_are_used_and_their_end_is_known() {
        let (certificate, key) = pair();
        let user = format!(
            "client-certificate-data: {}, client-key-data: {}",
            BASE64.encode(certificate.as_bytes()),
            BASE64.encode(key.as_bytes())
        );
        let ca = format!("{SERVER}, certificate-authority-data: {}", BASE64.encode(certificate.as_bytes()));
        let config = parsed(&ca, &user).unwrap();
        assert_eq!((config.server(), config.host()), ("https://10.0.0.10:6443", "10.0.0.10"));
        assert!(config.expires().is_some() && config.options.identity.is_some());
        assert!(matches!(&config.options.trust, Trust::Ca(pem) if pem == certificate.as_bytes()));
    }

    #[test]
    fn files_are_sought_beside_the_kubeconfig() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        std::fs::write(dir.path().join("c.pem"), certificate).unwrap();
        std::fs::write(dir.path().join("k.pem"), key).unwrap();
        let path = dir.path().join("admin.conf");
        let text = with(
            &format!("{SERVER}, certificate-authority: c.pem"),
            "client-certificate: c.pem, client-key: k.pem",
        );
        std::fs::write(&path, text).unwrap();
        assert!(Config::load(&path).unwrap().options.identity.is_some());
        std::fs::remove_file(dir.path().join("k.pem")).unwrap();
        assert!(Config::load(&path).unwrap_err().to_string().contains("k.pem"));
    }

    #[test]
    fn what_is_not_taken_is_refused_rather_than_passed_over() {
        assert!(wrong(SERVER, "exec: {command: aws}").contains("exec: is not taken"));
        assert!(wrong(SERVER, "username: a, password: b").contains("username: is not taken"));
        assert!(wrong(&format!("{SERVER}, insecure-skip-tls-verify: true"), "token: a").contains("anybody"));
        assert!(wrong(&format!("{SERVER}, proxy-url: 'http://p'"), "token: a").contains("proxies"));
        assert!(
            wrong("server: 'http://10.0.0.10:8080'", "token: a").contains("anybody could read the token")
        );
        assert!(parsed("server: 'http://10.0.0.10:8080'", "").is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(wrong("server: nonsense", "").contains("server: is not the URL of a server"));
        assert!(wrong("other: 1", "").contains("server: missing"));
        assert!(wrong(SERVER, "client-certificate-data: '%%'").contains("is not base64"));
        let text = with(SERVER, "").replace("current-context: me@lab", "current-context: other");
        assert!(Config::parse(&text, Path::new("")).unwrap_err().to_string().contains("no cluster `gone`"));
        let text = with(SERVER, "").replace("current-context: me@lab", "current-context: none");
        assert!(Config::parse(&text, Path::new("")).unwrap_err().to_string().contains("no context `none`"));
    }

    #[test]
    fn no_secret_is_shown_not_even_a_number() {
        let config = parsed(SERVER, "token: 123456789").unwrap();
        assert!(!format!("{config:?} {:?}", config.options).contains("123456789"));
        assert!(!wrong(SERVER, "token: 123456789, client-key-data: s3cret!").contains("123456789"));
        assert!(!wrong(SERVER, "client-key-data: s3cret!").contains("s3cret"));
        assert!(!wrong(SERVER, "token: [s3cret]").contains("s3cret"));
    }

    #[test]
    fn a_server_may_have_another_name_than_its_address() {
        let config = parsed(&format!("{SERVER}, tls-server-name: kubernetes"), "").unwrap();
        assert_eq!(config.url, "https://kubernetes:6443");
        assert_eq!(config.options.resolve, [("kubernetes".to_owned(), "10.0.0.10:6443".parse().unwrap())]);
        assert!(config.at("https://10.0.0.11:6443").options.resolve.is_empty());
    }

    #[test]
    fn hosts_of_all_forms_are_found() {
        for (url, found) in [
            ("https://[fd00::1]:6443", Some(("fd00::1", 6443))),
            ("https://api.lan", Some(("api.lan", 443))),
            ("https://api.lan:0", None),
            ("https://a b", None),
            ("https://", None),
            ("api.lan:6443", None),
        ] {
            assert_eq!(host_and_port(url), found, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text: String, a: String, b: String) {
            let _ = Config::parse(&text, Path::new("/nowhere"));
            let _ = parsed(&a, &b);
        }
    }
}
