//! Where certificates are: folders, files, kubeconfigs, servers.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::Instant;

use cli::{Context, Error, HostPort};
use probe::{Cause, Failure, Phase, Target, Trust};
use x509::{Certificate, Material};

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Path(PathBuf),
    Server(HostPort),
}

impl FromStr for Source {
    type Err = Infallible;

    /// What is there is a path; what is not, and has a port, a server.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(server) if !Path::new(text).exists() => Self::Server(server),
            _ => Self::Path(text.into()),
        })
    }
}

/// A chain of certificates, and where it was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The file, or HOST:PORT.
    pub(crate) source: String,
    /// Where exactly.
    pub(crate) place: Place,
    /// Which of the named sources it belongs to: authorities lie beside what they signed.
    pub(crate) group: usize,
    /// At least one certificate, the holder's own first.
    pub(crate) chain: Vec<Certificate>,
}

/// Where a chain was seen.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a PEM file, and where its link leads.
    File { path: PathBuf, leads_to: Option<PathBuf> },
    /// In a kubeconfig: field and line.
    Kubeconfig { path: PathBuf, field: String, line: u32 },
    /// Shown by a server.
    Server(HostPort),
}

/// Everything there was.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) seen: Vec<Seen>,
    /// The file every server should show.
    pub(crate) expected: Option<(PathBuf, Certificate)>,
    /// Servers that did not answer, and why.
    pub(crate) silent: Vec<(HostPort, Failure)>,
    /// Files that are not what they should be.
    pub(crate) wrong: Vec<String>,
}

/// Far above any certificate or kubeconfig.
const LIMIT_BYTES: u64 = 1 << 20;
const LIMIT_DEPTH: usize = 8;
/// Endings of files that hold certificates.
const ENDINGS: [&str; 5] = ["crt", "pem", "cer", "conf", "kubeconfig"];
/// What a node of kubeadm has.
const USUAL: [&str; 2] = ["/etc/kubernetes", "/var/lib/kubelet/pki"];

impl Scan {
    /// Reads the sources; servers are asked all at once.
    ///
    /// # Errors
    /// Fails if there is nothing to look at, or `expected` cannot be read.
    pub(crate) fn of(sources: &[Source], expected: Option<&Path>, deadline: Instant) -> cli::Result<Self> {
        let usual: Vec<_> = USUAL.iter().map(Path::new).filter(|path| path.exists()).collect();
        let usual: Vec<_> = usual.iter().map(|path| Source::Path((*path).to_owned())).collect();
        let sources = if sources.is_empty() { &usual } else { sources };
        if sources.is_empty() {
            let why = format!("neither {} is here", USUAL.join(" nor "));
            return Err(
                Error::invalid("looking for certificates", why).hint("name folders, files or HOST:PORT")
            );
        }
        let mut scan = Self::default();
        if let Some(path) = expected {
            let doing = "reading what servers should show";
            let pem = files::read(path, LIMIT_BYTES).doing(doing)?;
            let own =
                x509::certificates(&pem).doing(format!("reading {}", path.display()))?.into_iter().next();
            scan.expected = own.map(|own| (path.to_owned(), own));
        }
        let mut servers = Vec::new();
        for (group, source) in sources.iter().enumerate() {
            match source {
                Source::Server(server) => servers.push((group, server)),
                Source::Path(path) if path.is_dir() => {
                    let before = scan.seen.len();
                    scan.folder(path, group, 0);
                    if scan.seen.len() == before && scan.wrong.is_empty() {
                        scan.wrong.push(format!("{}: no certificate in it", path.display()));
                    }
                }
                Source::Path(path) => scan.file(path, group, true),
            }
        }
        scan.servers(&servers, deadline);
        Ok(scan)
    }

    fn folder(&mut self, folder: &Path, group: usize, depth: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect::<BTreeSet<_>>(),
            Err(error) => return self.wrong.push(format!("{}: {}", folder.display(), said(error))),
        };
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let current: Vec<_> = entries
            .iter()
            .filter_map(|path| name(path).strip_suffix("-current.pem").map(|stem| format!("{stem}-")))
            .collect();
        for path in &entries {
            let name = name(path);
            let old = |stem: &String| name.starts_with(stem) && !name.ends_with("-current.pem");
            let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() && depth < LIMIT_DEPTH {
                self.folder(path, group, depth + 1);
            } else if ENDINGS.contains(&ending.as_str()) && !current.iter().any(old) && path.is_file() {
                self.file(path, group, false);
            }
        }
    }

    /// Reads a file; in a folder, what is something else altogether is passed over.
    fn file(&mut self, path: &Path, group: usize, named: bool) {
        let source = path.display().to_string();
        let content = match read(path) {
            Ok(content) => content,
            Err(why) => return self.wrong.push(why),
        };
        let text = String::from_utf8_lossy(&content);
        let configured = path.extension().is_some_and(|ending| ending == "conf" || ending == "kubeconfig");
        if text.contains("-----BEGIN ") || !(configured || named && text.contains("clusters")) {
            // Keys, requests, parameters.
            let other = text.contains("-----BEGIN ") && !text.contains("-----BEGIN CERTIFICATE-----");
            match certificates(&content) {
                Ok(chain) => {
                    let leads_to = path.is_symlink().then(|| fs::canonicalize(path).ok()).flatten();
                    let place = Place::File { path: path.to_owned(), leads_to };
                    self.seen.push(Seen { source, place, group, chain });
                }
                Err(_) if other && !named => {}
                Err(error) => self.wrong.push(format!("{source}: {error}")),
            }
        } else if named || text.contains("clusters") {
            match x509::kubeconfig(&text) {
                Ok(held) => held.into_iter().for_each(|held| self.held(path, held, group)),
                Err(problems) => {
                    self.wrong.extend(problems.iter().map(|problem| format!("{source}: {problem}")));
                }
            }
        }
    }

    fn held(&mut self, kubeconfig: &Path, held: x509::Held, group: usize) {
        let source = kubeconfig.display().to_string();
        let chain = match held.what {
            Material::Inside(chain) => chain,
            Material::File(file) => {
                let path = kubeconfig.parent().unwrap_or(Path::new("")).join(&file);
                let chain = read(&path).and_then(|pem| certificates(&pem).map_err(|error| error.to_string()));
                match chain {
                    Ok(chain) => chain,
                    Err(why) => {
                        let place = format!("{source}: line {}: {}", held.line, held.field);
                        return self.wrong.push(format!("{place}: {why}"));
                    }
                }
            }
        };
        let place = Place::Kubeconfig { path: kubeconfig.to_owned(), field: held.field, line: held.line };
        self.seen.push(Seen { source, place, group, chain });
    }

    fn servers(&mut self, servers: &[(usize, &HostPort)], deadline: Instant) {
        let answers: Vec<_> = thread::scope(|scope| {
            let asking = servers.iter().map(|(_, server)| scope.spawn(move || ask(server, deadline)));
            // All are asked before the first answer is waited for.
            asking.collect::<Vec<_>>().into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        for ((group, server), answer) in servers.iter().zip(answers) {
            let (source, place) = (server.to_string(), Place::Server((*server).clone()));
            match answer.unwrap_or_else(|_| Err(Unseen::Wrong("it came to nothing".into()))) {
                Ok(chain) => self.seen.push(Seen { source, place, group: *group, chain }),
                Err(Unseen::Silent(failure)) => self.silent.push(((*server).clone(), failure)),
                Err(Unseen::Wrong(why)) => self.wrong.push(format!("{server}: {why}")),
            }
        }
    }
}

/// Why a server's certificates were not seen.
enum Unseen {
    /// It did not answer.
    Silent(Failure),
    /// It never will.
    Wrong(String),
}

/// What a server shows.
fn ask(server: &HostPort, deadline: Instant) -> Result<Vec<Certificate>, Unseen> {
    let wrong = |why: &dyn std::error::Error| Unseen::Wrong(why.to_string());
    let target =
        Target::new(&format!("https://{server}/"), &Trust::Insecure, None).map_err(|error| match error {
            probe::Error::Resolve { ref source, .. } => Unseen::Silent(Failure {
                cause: Cause::Other,
                text: format!("its name has no address: {}", said(source)),
            }),
            error => wrong(&error),
        })?;
    let chain = target.chain(deadline).map_err(|(phase, failure)| match (phase, failure.cause) {
        (Phase::Tls, Cause::Tls | Cause::Other) => Unseen::Wrong(format!("no TLS: {failure}")),
        _ => Unseen::Silent(Failure { cause: failure.cause, text: said(failure) }),
    })?;
    let chain: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::from_der(der)).collect();
    match chain.map_err(|error| wrong(&error))? {
        none if none.is_empty() => Err(Unseen::Wrong("it shows no certificate".into())),
        chain => Ok(chain),
    }
}

/// The certificates of a file: PEM, or one in DER.
fn certificates(content: &[u8]) -> Result<Vec<Certificate>, x509::Error> {
    match content.first() {
        // SEQUENCE, which no text begins with.
        Some(0x30) if !content.is_ascii() => Certificate::from_der(content).map(|own| vec![own]),
        _ => x509::certificates(content),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    files::read(path, LIMIT_BYTES).map_err(said)
}

/// An error as messages have it.
fn said(error: impl std::error::Error) -> String {
    Err::<(), _>(error).invalid("").map_or_else(|error| error.to_string(), |()| String::new())
}
