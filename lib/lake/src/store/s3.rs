//! A lake in a bucket.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use aws::{Credentials, Signing, encode};
use bytes::Bytes;
use http::{Client, Request, Response, Trust};
use model::{Fault, Kind};

use super::{LIMIT_BYTES, Put, xml};
use crate::error::at;
use crate::log::number;
use crate::{Error, Result};

/// How a bucket is reached.
#[derive(Debug)]
pub struct S3Options {
    /// Who asks.
    pub credentials: Credentials,
    /// The region the bucket is in.
    pub region: String,
    /// The server, if it is not Amazon's: `https://HOST:PORT`.
    pub endpoint: Option<String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Where files are put together.
    pub spool: PathBuf,
    /// How long one request may take.
    pub attempt: Duration,
    /// How often a request is tried.
    pub tries: u32,
    /// Waits before another try.
    pub pause: Pause,
}

/// Waits for so long; true if somebody asks to end instead.
pub struct Pause(pub Box<dyn Fn(Duration) -> bool>);

impl std::fmt::Debug for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pause")
    }
}

/// A part of a bucket.
#[derive(Debug)]
pub(super) struct S3 {
    options: S3Options,
    client: Client,
    /// `https://HOST`, and how a path begins there.
    server: String,
    host: String,
    root: String,
    prefix: String,
    /// What names the spool of this lake.
    name: String,
}

/// What is larger is put in parts of this size; Amazon takes 5 MiB and more.
const PART_BYTES: u64 = 16 << 20;

/// The longest answer that is no file.
const ANSWER_BYTES: u64 = 16 << 20;

/// A request.
struct Call<'a> {
    method: &'a str,
    /// The object's name below the lake.
    name: Option<&'a str>,
    query: &'a [(&'a str, &'a str)],
    body: Bytes,
    /// Only what stands from there on.
    from: u64,
    /// Only if nothing stands there.
    only_new: bool,
}

/// An answer, whole.
struct Answer {
    status: u16,
    etag: String,
    text: String,
}

impl<'a> Call<'a> {
    fn new(method: &'a str, name: &'a str) -> Self {
        Self { method, name: Some(name), query: &[], body: Bytes::new(), from: 0, only_new: false }
    }
}

impl S3 {
    pub(super) fn new(bucket: &str, prefix: &str, options: S3Options) -> Result<Self> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        let is_bucket = (3..=63).contains(&bucket.len()) && bucket.chars().all(fine);
        let strange = prefix
            .split('/')
            .any(|part| matches!(part, "." | "..") || (part.is_empty() && !prefix.is_empty()));
        if !is_bucket || strange || prefix.chars().any(char::is_control) {
            return Err(Error::Url(format!("s3://{bucket}/{prefix}")));
        }
        let region = &options.region;
        let (server, root) = match &options.endpoint {
            Some(endpoint) => (endpoint.trim_end_matches('/').to_owned(), format!("/{bucket}")),
            // Its certificate fits one label alone.
            None if bucket.contains('.') => {
                (format!("https://s3.{region}.amazonaws.com"), format!("/{bucket}"))
            }
            None => (format!("https://{bucket}.s3.{region}.amazonaws.com"), String::new()),
        };
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
        let host = host.filter(|host| !host.is_empty() && !host.contains(['/', '@', '?', '#']));
        let Some(host) = host.map(str::to_owned) else {
            return Err(Error::Endpoint);
        };
        let trust = options.trust.clone();
        let client = Client::new(&http::Options { trust, ..http::Options::default() })
            .map_err(|source| Error::S3 { what: server.clone(), source })?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let name = files::sha256_hex(format!("{server}{root}/{prefix}").as_bytes())[..16].to_owned();
        Ok(Self { options, client, server, host, root, prefix, name })
    }

    /// The folder where files are put together.
    pub(super) fn spool(&self, who: &str) -> Result<PathBuf> {
        let folder = self.options.spool.join(format!("lake-sink-{}-{who}", self.name));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(at(&folder)(error)),
            _ => Ok(folder),
        }
    }

    pub(super) fn publish(&self, spooled: &Path, name: &str) -> Result<Put> {
        let file = fs::File::open(spooled).map_err(at(spooled))?;
        let length = file.metadata().map_err(at(spooled))?.len();
        let part = |at_byte: u64| -> Result<Bytes> {
            let mut part = vec![0; usize::try_from(PART_BYTES.min(length - at_byte)).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut part, at_byte).map_err(at(spooled)).map(|()| part.into())
        };
        if length <= PART_BYTES { self.put_new(name, part(0)?) } else { self.in_parts(name, length, part) }
    }

    fn in_parts(&self, name: &str, length: u64, part: impl Fn(u64) -> Result<Bytes>) -> Result<Put> {
        let begin = Call { query: &[("uploads", "")], ..Call::new("POST", name) };
        let upload = self.text(&begin, name)?;
        let upload = xml::text(&upload, "UploadId").ok_or_else(|| self.garbled(name))?;
        let put = self.parts(name, &upload, length, part);
        if !matches!(put, Ok(Put::New)) {
            // Parts nobody ends would be paid for; whoever cannot do this has said why already.
            let query = [("uploadId", &*upload)];
            let _ = self.send(&Call { query: &query, ..Call::new("DELETE", name) });
        }
        put
    }

    fn parts(
        &self,
        name: &str,
        upload: &str,
        length: u64,
        part: impl Fn(u64) -> Result<Bytes>,
    ) -> Result<Put> {
        let mut list = String::from("<CompleteMultipartUpload>");
        for (number, at_byte) in (1..).zip((0..length).step_by(usize::try_from(PART_BYTES).unwrap_or(1))) {
            let number: u32 = number;
            let number = number.to_string();
            let query = [("partNumber", &*number), ("uploadId", upload)];
            let call = Call { query: &query, body: part(at_byte)?, ..Call::new("PUT", name) };
            let answer = self.good(&call, name)?;
            let tag = answer.etag.replace('&', "&amp;").replace('<', "&lt;");
            list.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
        }
        list.push_str("</CompleteMultipartUpload>");
        let query = [("uploadId", upload)];
        let call = Call { query: &query, body: list.into(), only_new: true, ..Call::new("POST", name) };
        let answer = self.send(&call)?;
        match answer.status {
            412 => Ok(Put::There),
            // The answer to an earlier try was lost: it is there, ours or another's.
            404 if self.exists(name)? => Ok(Put::There),
            _ => {
                // It answers 200 before it knows.
                match xml::text(&self.judged(answer, name)?.text, "Code") {
                    None => Ok(Put::New),
                    Some(code) => Err(Error::Store { what: self.shown(name), why: code }),
                }
            }
        }
    }

    fn exists(&self, name: &str) -> Result<bool> {
        let answer = self.send(&Call::new("HEAD", name))?;
        if answer.status == 404 { Ok(false) } else { self.judged(answer, name).map(|_| true) }
    }

    pub(super) fn create(&self, name: &str, content: &[u8]) -> Result<Put> {
        self.put_new(name, Bytes::copy_from_slice(content))
    }

    fn put_new(&self, name: &str, body: Bytes) -> Result<Put> {
        let call = Call { body, only_new: true, ..Call::new("PUT", name) };
        let answer = self.send(&call)?;
        if answer.status == 412 { Ok(Put::There) } else { self.judged(answer, name).map(|_| Put::New) }
    }

    pub(super) fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        self.good(&Call { body: Bytes::copy_from_slice(content), ..Call::new("PUT", name) }, name).map(|_| ())
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.patiently(|| {
            let answer = self.once(&Call::new("GET", name)).map_err(self.of(name))?;
            if answer.status() == 404 {
                let text = answer.text(ANSWER_BYTES).unwrap_or_default();
                return match xml::text(&text, "Code") {
                    Some(code) if code != "NoSuchKey" => {
                        Err(Error::Store { what: self.shown(name), why: code })
                    }
                    _ => Ok(None),
                };
            }
            let body = answer.success().and_then(|answer| answer.bytes(LIMIT_BYTES));
            body.map(Some).map_err(self.of(name))
        })
    }

    /// Whether an object holds what a file does.
    pub(super) fn holds(&self, name: &str, spooled: &Path) -> Result<bool> {
        self.patiently(|| {
            let ours = fs::File::open(spooled).map_err(at(spooled))?;
            let theirs =
                self.once(&Call::new("GET", name)).and_then(Response::success).map_err(self.of(name))?;
            let same = super::same(ours, theirs.reader());
            same.map_err(|error| Error::Store { what: self.shown(name), why: error.to_string() })
        })
    }

    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let answer = self.send(&Call::new("DELETE", name))?;
        if answer.status == 404 { Ok(()) } else { self.judged(answer, name).map(|_| ()) }
    }

    pub(super) fn log(&self, prefix: &str) -> Result<Vec<String>> {
        let log = format!("{}_log/", self.prefix);
        let names = self.list(&format!("{log}{prefix}"))?.into_iter();
        Ok(names.filter_map(|(name, _)| name.strip_prefix(&log).map(str::to_owned)).collect())
    }

    /// The number of the log's newest entry, without reading all their names.
    pub(super) fn newest(&self) -> Result<u64> {
        let log = format!("{}_log/", self.prefix);
        newest(|after| {
            let (prefix, start) = (format!("{log}0"), format!("{log}{after:020}.json"));
            let query =
                [("list-type", "2"), ("max-keys", "1"), ("prefix", &*prefix), ("start-after", &*start)];
            let page = self.text(&Call { name: None, query: &query, ..Call::new("GET", "") }, "_log/")?;
            let first = xml::text(&page, "Key");
            Ok(first.and_then(|key| number(key.strip_prefix(&log)?)).unwrap_or(0))
        })
    }

    /// All files, with their sizes.
    pub(super) fn files(&self) -> Result<Vec<(String, u64)>> {
        let names = self.list(&self.prefix)?.into_iter();
        let below = |(name, bytes): (String, u64)| Some((name.strip_prefix(&self.prefix)?.to_owned(), bytes));
        Ok(names.filter_map(below).collect())
    }

    /// A file from there on.
    pub(super) fn tail(&self, name: &str, from: u64) -> Result<Vec<u8>> {
        self.patiently(|| {
            let answer = self.once(&Call { from, ..Call::new("GET", name) }).and_then(Response::success);
            answer.and_then(|answer| answer.bytes(LIMIT_BYTES)).map_err(self.of(name))
        })
    }

    /// The keys that begin so, with their sizes.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>> {
        let mut keys = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", prefix)];
            if let Some(token) = &from {
                query.insert(0, ("continuation-token", token));
            }
            let page = self.text(&Call { name: None, query: &query, ..Call::new("GET", "") }, "_log/")?;
            let sizes = xml::texts(&page, "Size").into_iter().map(|size| size.parse().unwrap_or_default());
            keys.extend(xml::texts(&page, "Key").into_iter().zip(sizes));
            from = xml::text(&page, "NextContinuationToken");
            if xml::text(&page, "IsTruncated").as_deref() != Some("true") {
                return Ok(keys);
            }
            if from.is_none() {
                return Err(self.garbled("_log/"));
            }
        }
    }

    /// A good answer's text.
    fn text(&self, call: &Call, name: &str) -> Result<String> {
        self.good(call, name).map(|answer| answer.text)
    }

    fn good(&self, call: &Call, name: &str) -> Result<Answer> {
        self.judged(self.send(call)?, name)
    }

    fn judged(&self, answer: Answer, name: &str) -> Result<Answer> {
        let Answer { status, text, .. } = answer;
        match status {
            200..300 => Ok(Answer { text, ..answer }),
            _ => Err(self.of(name)(http::Error::Status { status, retry_after: None, text })),
        }
    }

    /// An answer that another try would not make better.
    fn send(&self, call: &Call) -> Result<Answer> {
        let name = call.name.unwrap_or("_log/");
        self.patiently(|| {
            let answer = self.once(call).map_err(self.of(name))?;
            let (status, retry_after) = (answer.status(), answer.retry_after());
            let etag = answer.header("etag").unwrap_or_default().to_owned();
            let text = answer.text(ANSWER_BYTES).map_err(self.of(name))?;
            match status {
                // Somebody else is at the same key.
                409 => Err(Error::Store { what: self.shown(name), why: "somebody else is at it".to_owned() }),
                // 400 is Amazon's for a body that came too slowly, too.
                400 | 408 | 429 | 500.. => {
                    Err(self.of(name)(http::Error::Status { status, retry_after, text }))
                }
                _ => Ok(Answer { status, etag, text }),
            }
        })
    }

    /// Tries again what may go better: after 100 ms, 200 ms, … up to 5 s, or as the server asks.
    fn patiently<T>(&self, mut once: impl FnMut() -> Result<T>) -> Result<T> {
        let mut tried = 0;
        loop {
            let error = match once() {
                Err(error) if again(&error) => error,
                done => return done,
            };
            tried += 1;
            let asked = match &error {
                Error::S3 { source, .. } => source.retry_after(),
                _ => None,
            };
            let wait = Duration::from_millis(100 << tried.min(6)).min(Duration::from_secs(5));
            let wait = asked.unwrap_or(wait / 2 + wait / 2 * jitter() / 100);
            if tried >= self.options.tries || wait > Duration::from_mins(1) || (self.options.pause.0)(wait) {
                return Err(error);
            }
        }
    }

    fn once(&self, call: &Call) -> http::Result<Response> {
        let path = match call.name {
            Some(name) => format!("{}/{}", self.root, encode(&format!("{}{name}", self.prefix), true)),
            None => format!("{}/", self.root),
        };
        let query = call.query.iter().map(|(name, value)| format!("{name}={}", encode(value, false)));
        let query = query.collect::<Vec<_>>().join("&");
        let range = format!("bytes={}-", call.from);
        let special: &[(&str, &str)] = match call {
            Call { only_new: true, .. } => &[("if-none-match", "*")],
            Call { from: 1.., .. } => &[("range", &range)],
            _ => &[],
        };
        let signing = Signing {
            service: "s3",
            method: call.method,
            host: &self.host,
            path: &path,
            query: &query,
            body: &call.body,
            headers: special,
        };
        let S3Options { credentials, region, attempt, .. } = &self.options;
        let signed = signing.headers(credentials, region, SystemTime::now());
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = Request::new(call.method, &format!("{}{path}{mark}{query}", self.server));
        for (name, value) in
            special.iter().copied().chain(signed.iter().map(|(name, value)| (*name, &**value)))
        {
            request = request.header(name, value);
        }
        self.client.send(&request.body(call.body.clone()), Instant::now() + *attempt)
    }

    fn shown(&self, name: &str) -> String {
        format!("{}{}/{}{name}", self.server, self.root, self.prefix)
    }

    fn of(&self, name: &str) -> impl FnOnce(http::Error) -> Error {
        let what = self.shown(name);
        move |source| Error::S3 { what, source: readable(source) }
    }

    fn garbled(&self, name: &str) -> Error {
        Error::Store { what: self.shown(name), why: "an answer that makes no sense".to_owned() }
    }
}

/// Whether another try could help; a slow body Amazon answers with 400.
fn again(error: &Error) -> bool {
    match error {
        Error::S3 { source: http::Error::Status { status: 400, text, .. }, .. } => {
            text.contains("RequestTimeout")
        }
        Error::S3 { source: http::Error::Garbled(_), .. } => true,
        other => other.kind() == Kind::Unavailable,
    }
}

/// What a refusal says, without its XML.
fn readable(error: http::Error) -> http::Error {
    match error {
        http::Error::Status { status, retry_after, text } => {
            // The body is cut: the code is at its beginning.
            let said = xml::text(&text, "Code").map(|code| match xml::text(&text, "Message") {
                Some(message) => format!("{code}: {message}"),
                None => code,
            });
            http::Error::Status { status, retry_after, text: said.unwrap_or(text) }
        }
        other => other,
    }
}

/// The last number, where `next` says the one that follows another, and 0 if none does.
fn newest(next: impl Fn(u64) -> Result<u64>) -> Result<u64> {
    let (mut low, mut step) = (0, 1);
    // Farther and farther, until nothing follows; then nearer and nearer.
    loop {
        match next(low + step - 1)? {
            0 if step == 1 => return Ok(low),
            0 => step = (step / 4).max(1),
            found => (low, step) = (found, step.saturating_mul(4).min(1 << 40)),
        }
    }
}

/// A number up to 100, so that many who were sent away do not come back together.
fn jitter() -> u32 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.subsec_micros() % 101
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_is_found_in_few_questions_whatever_is_missing() {
        for there in [
            vec![],
            vec![1],
            vec![7],
            (1..=1000).collect::<Vec<u64>>(),
            (1..=500_000).filter(|n| !(3..400_000).contains(n)).collect(),
            (1..=123_456).collect(),
        ] {
            let asked = std::cell::Cell::new(0);
            let next = |after: u64| {
                asked.set(asked.get() + 1);
                Ok(there.get(there.partition_point(|n| *n <= after)).copied().unwrap_or(0))
            };
            assert_eq!(newest(next).unwrap(), there.last().copied().unwrap_or(0));
            assert!(asked.get() <= 64, "{} questions for {} entries", asked.get(), there.len());
        }
    }
}
