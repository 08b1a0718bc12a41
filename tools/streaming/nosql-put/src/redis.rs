//! Redis: a value with its version a key. Where nothing is a value is put by `SET … NX`, which
//! costs what SET does; where something is a script looks before it puts.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use cli::Error;
use process::Stop;

use crate::item::{Bad, Item, Key};
use crate::store::{Backoff, Store, Tally};

/// What a value begins with; the 20 digits of its version are next. As text they compare as
/// numbers do.
const BEFORE: &[u8] = b"{\"v\":\"";

/// Puts each value whose version is newer. One of 28 bytes has no row: a tombstone.
const SCRIPT: &str = "local put,gone,same,older=0,0,0,0
for i=1,#KEYS do
 local k,new=KEYS[i],ARGV[i]
 local cur=redis.call('GETRANGE',k,0,25)
 local old,v=string.sub(cur,7),string.sub(new,7,26)
 if cur~='' and (#cur~=26 or string.sub(cur,1,6)~='{\"v\":\"') then
  return redis.error_reply('FOREIGN '..k..' holds what is not ours')
 elseif cur~='' and old>=v then
  if old==v then same=same+1 else older=older+1 end
 else
  redis.call('SET',k,new)
  if #new==28 then gone=gone+1 else put=put+1 end
 end
end
return {put,gone,same,older}";

/// So many batches may be on their way.
const WINDOW: usize = 32;

/// How long the server may take over one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: Host,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Tcp(String, u16),
    Unix(String),
}

impl Place {
    /// `redis://[USER@]HOST[:PORT][/DATABASE]` or `unix:PATH`.
    pub(crate) fn of(url: &str, password: Option<String>) -> Result<Self, String> {
        let form = || "a Redis server is redis://[USER@]HOST[:PORT][/DATABASE] or unix:PATH".to_owned();
        if let Some(path) = url.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self { host: Host::Unix(path.to_owned()), user: None, password, database: 0 });
        }
        let rest = url.strip_prefix("redis://").ok_or_else(form)?;
        let (authority, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (database, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => {
                return Err("no password stands in a URL; --password file:PATH or env:NAME".to_owned());
            }
            Some((user, place)) => (Some(user.to_owned()).filter(|user| !user.is_empty()), place),
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(6379), str::parse).map_err(|_| form())?;
        let database = if database.is_empty() { 0 } else { database.parse().map_err(|_| form())? };
        if host.is_empty() {
            return Err(form());
        }
        let near = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match query {
            "tls=disable" => {}
            "" if near => {}
            "" => {
                return Err(
                    "Redis is spoken in clear: by a tunnel on this machine, or ?tls=disable says you mean it"
                        .to_owned(),
                );
            }
            _ => return Err(form()),
        }
        Ok(Self { host: Host::Tcp(host.to_owned(), port), user, password, database })
    }

    fn shown(&self) -> String {
        match &self.host {
            Host::Tcp(host, port) => format!("{host}:{port}"),
            Host::Unix(path) => path.clone(),
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A conversation.
pub(crate) struct Redis {
    doing: String,
    table: String,
    place: Place,
    stream: BufReader<Box<dyn Stream>>,
    /// The script's name.
    sha: String,
    /// What is on its way and not answered.
    sent: VecDeque<(Way, Vec<Item>)>,
    /// Whether most keys of the last batch were there.
    mostly_there: bool,
    batches: u64,
    out: Vec<u8>,
    backoff: Backoff,
}

/// How a batch is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Where nothing is: a command an item.
    New,
    /// By the script.
    Newer,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    Number(i64),
    Text(Option<Vec<u8>>),
    List(Vec<Reply>),
    Error(String),
}

impl Redis {
    pub(crate) fn open(place: Place, table: &str, stop: &Arc<Stop>) -> cli::Result<Self> {
        let doing = format!("putting into Redis at {}", place.shown());
        let stream = connect(&place).map_err(|error| unreachable(&doing, &error))?;
        let mut redis = Self {
            doing,
            table: table.to_owned(),
            place,
            stream: BufReader::with_capacity(64 << 10, stream),
            sha: String::new(),
            sent: VecDeque::new(),
            mostly_there: false,
            batches: 0,
            out: Vec::new(),
            backoff: Backoff::new(stop),
        };
        redis.begin()?;
        Ok(redis)
    }

    /// Says who we are, and what the script is.
    fn begin(&mut self) -> cli::Result<()> {
        if let Some(password) = self.place.password.clone() {
            let user = self.place.user.clone();
            let words: Vec<_> = ["AUTH"].into_iter().chain(user.as_deref()).chain([&*password]).collect();
            self.ask(&words)?;
        }
        if self.place.database > 0 {
            self.ask(&["SELECT", &self.place.database.to_string()])?;
        }
        match self.ask(&["SCRIPT", "LOAD", SCRIPT])? {
            Reply::Text(Some(sha)) => self.sha = String::from_utf8_lossy(&sha).into_owned(),
            other => return Err(self.strange(&other)),
        }
        Ok(())
    }

    fn ask(&mut self, words: &[&str]) -> cli::Result<Reply> {
        loop {
            self.out.clear();
            command(words.iter().map(|word| word.as_bytes()), &mut self.out);
            self.send()?;
            match self.reply()? {
                Reply::Error(text) => self.judge(&text)?,
                reply => return Ok(reply),
            }
        }
    }

    /// An error that another try does not make better, or a while of waiting.
    fn judge(&mut self, text: &str) -> cli::Result<()> {
        let word = text.split(' ').next().unwrap_or_default();
        match word {
            "LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" | "CLUSTERDOWN" => {
                self.backoff.wait(&self.doing, "throttled", text, None)
            }
            // Nothing of ours frees memory.
            "OOM" => Err(Error::unavailable(&self.doing, format!("throttled: {text}"))),
            "READONLY" | "MISCONF" | "NOREPLICAS" => Err(Error::unavailable(&self.doing, text)),
            "NOAUTH" | "WRONGPASS" | "NOPERM" => {
                Err(Error::invalid(&self.doing, format!("auth: {text}"))
                    .hint("--password file:PATH or env:NAME"))
            }
            "WRONGTYPE" => {
                Err(Error::invalid(&self.doing, text).hint("something else stands under a key of this table"))
            }
            _ => Err(Error::invalid(&self.doing, text)),
        }
    }

    fn send(&mut self) -> cli::Result<()> {
        let sent = self.stream.get_mut().write_all(&self.out);
        sent.map_err(|error| self.broken(&error))
    }

    fn reply(&mut self) -> cli::Result<Reply> {
        reply(&mut self.stream).map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &std::io::Error) -> Error {
        let why = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "stalled: no answer in time".to_owned(),
            ErrorKind::UnexpectedEof => "network: the server closed the connection".to_owned(),
            ErrorKind::InvalidData => return Error::invalid(&self.doing, error),
            _ => format!("network: {error}"),
        };
        Error::unavailable(&self.doing, why)
    }

    fn strange(&self, reply: &Reply) -> Error {
        Error::invalid(&self.doing, format!("an answer that makes no sense: {reply:?}"))
    }

    /// `TABLE:PK:SK`; a colon in a part is `%3A`, so that no two keys are one.
    fn key(&self, item: &Item, to: &mut Vec<u8>) {
        to.clear();
        to.extend_from_slice(self.table.as_bytes());
        for part in [Some(&item.pk), item.sk.as_ref()].into_iter().flatten() {
            to.push(b':');
            for byte in Key::text(part).bytes() {
                match byte {
                    b':' => to.extend_from_slice(b"%3A"),
                    b'%' => to.extend_from_slice(b"%25"),
                    byte => to.push(byte),
                }
            }
        }
    }

    fn send_batch(&mut self, way: Way, items: Vec<Item>) -> cli::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let mut room = Vec::new();
        match way {
            Way::New => {
                for item in &items {
                    head(b'*', 4, &mut out);
                    bulk(b"SET", &mut out);
                    self.key(item, &mut room);
                    bulk(&room, &mut out);
                    value(item, &mut out);
                    bulk(b"NX", &mut out);
                }
            }
            Way::Newer => {
                head(b'*', 3 + 2 * items.len(), &mut out);
                for word in ["EVALSHA", &self.sha, &items.len().to_string()] {
                    bulk(word.as_bytes(), &mut out);
                }
                for item in &items {
                    self.key(item, &mut room);
                    bulk(&room, &mut out);
                }
                items.iter().for_each(|item| value(item, &mut out));
            }
        }
        self.out = out;
        self.send()?;
        self.sent.push_back((way, items));
        Ok(())
    }

    /// Takes the answer to the oldest batch, and puts again what it did not settle: what is behind
    /// it may have gone in meanwhile, and stays, for only what is newer is put.
    fn settle(&mut self, tally: &mut Tally) -> cli::Result<()> {
        let (mut again, mut error) = self.answer(tally)?;
        while !again.is_empty() {
            // A connection has one conversation: what is on its way is heard before another begins.
            while error.is_some() && !self.sent.is_empty() {
                let (more, other) = self.answer(tally)?;
                again.extend(more);
                error = error.or(other);
            }
            match error.take() {
                Some(text) if text.starts_with("NOSCRIPT") => self.begin()?,
                Some(text) => self.judge(&text)?,
                None => {}
            }
            for items in again.chunks(BATCH).map(<[Item]>::to_vec) {
                self.send_batch(Way::Newer, items)?;
            }
            again.clear();
            while !self.sent.is_empty() {
                let (more, other) = self.answer(tally)?;
                again.extend(more);
                error = error.or(other);
            }
        }
        Ok(())
    }

    /// Reads the answer to the oldest batch: what is left of it, and what the server says against it.
    fn answer(&mut self, tally: &mut Tally) -> cli::Result<(Vec<Item>, Option<String>)> {
        let Some((way, items)) = self.sent.pop_front() else { return Ok((Vec::new(), None)) };
        if way == Way::New {
            let (mut there, mut error) = (Vec::new(), None);
            let count = items.len();
            for item in items {
                match self.reply()? {
                    Reply::Text(Some(_)) if item.row.is_some() => tally.put += 1,
                    Reply::Text(Some(_)) => tally.deleted += 1,
                    Reply::Text(None) => there.push(item),
                    Reply::Error(text) => {
                        error = Some(text);
                        there.push(item);
                    }
                    other => return Err(self.strange(&other)),
                }
            }
            if error.is_none() {
                self.backoff.reset();
            }
            self.mostly_there = there.len() * 2 > count;
            return Ok((there, error));
        }
        match self.reply()? {
            Reply::List(counts) => {
                let count = |at: usize| match counts.get(at) {
                    Some(Reply::Number(count)) => u64::try_from(*count).unwrap_or_default(),
                    _ => 0,
                };
                let (put, deleted, same, older) = (count(0), count(1), count(2), count(3));
                if put + deleted + same + older != items.len() as u64 {
                    return Err(Error::invalid(&self.doing, "an answer that does not count what was sent"));
                }
                tally.put += put;
                tally.deleted += deleted;
                tally.same += same;
                tally.older += older;
                self.backoff.reset();
                Ok((Vec::new(), None))
            }
            Reply::Error(text) => Ok((items, Some(text))),
            other => Err(self.strange(&other)),
        }
    }
}

/// `{"v":"00000000000000000007","row":…}`, or without the row.
fn value(item: &Item, out: &mut Vec<u8>) {
    let mut version = *b"00000000000000000000";
    let mut rest = item.version;
    for digit in version.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    let row = item.row.as_deref();
    head(b'$', row.map_or(28, |row| 35 + row.len()), out);
    out.extend_from_slice(BEFORE);
    out.extend_from_slice(&version);
    match row {
        Some(row) => {
            out.extend_from_slice(b"\",\"row\":");
            out.extend_from_slice(row);
            out.push(b'}');
        }
        None => out.extend_from_slice(b"\"}"),
    }
    out.extend_from_slice(b"\r\n");
}

/// So many items go in at a time.
const BATCH: usize = 128;

impl Store for Redis {
    fn check(&self, item: &Item) -> Result<(), Bad> {
        match &item.row {
            Some(row) if row.len() > 512 << 20 => Err(Bad::whole("larger than 512 MB")),
            _ => Ok(()),
        }
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn put(&mut self, items: Vec<Item>, tally: &mut Tally) -> cli::Result<()> {
        self.backoff.stopped(&self.doing)?;
        // Now and then it is found out whether keys are new again.
        self.batches += 1;
        let way = if self.mostly_there && !self.batches.is_multiple_of(16) { Way::Newer } else { Way::New };
        self.send_batch(way, items)?;
        while self.sent.len() > WINDOW {
            self.settle(tally)?;
        }
        Ok(())
    }

    fn finish(&mut self, tally: &mut Tally) -> cli::Result<()> {
        while !self.sent.is_empty() {
            self.settle(tally)?;
        }
        Ok(())
    }
}

fn unreachable(doing: &str, error: &std::io::Error) -> Error {
    let why = match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    };
    Error::unavailable(doing, format!("network: {why}"))
}

fn connect(place: &Place) -> std::io::Result<Box<dyn Stream>> {
    match &place.host {
        Host::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
        Host::Tcp(host, port) => {
            let mut last = std::io::Error::new(ErrorKind::NotFound, "no address");
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        stream.set_read_timeout(Some(PATIENCE))?;
                        stream.set_write_timeout(Some(PATIENCE))?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

fn head(kind: u8, number: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    head(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn command<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    head(b'*', words.len(), out);
    words.for_each(|word| bulk(word, out));
}

/// Far above any answer to what we ask.
const ANSWER_BYTES: usize = 1 << 20;

fn reply(from: &mut impl BufRead) -> std::io::Result<Reply> {
    let strange = || std::io::Error::new(ErrorKind::InvalidData, "this is no Redis server");
    let mut line = Vec::new();
    from.take(4096).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let line =
        line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok()).ok_or_else(strange)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(strange)?;
    let number = || rest.parse::<i64>().map_err(|_| strange());
    match kind {
        "+" => Ok(Reply::Text(Some(rest.as_bytes().to_vec()))),
        "-" => Ok(Reply::Error(rest.to_owned())),
        ":" => Ok(Reply::Number(number()?)),
        "$" => match usize::try_from(number()?) {
            Err(_) => Ok(Reply::Text(None)),
            Ok(length) if length > ANSWER_BYTES => Err(strange()),
            Ok(length) => {
                let mut text = vec![0; length + 2];
                from.read_exact(&mut text)?;
                text.truncate(length);
                Ok(Reply::Text(Some(text)))
            }
        },
        "*" => {
            let count = usize::try_from(number()?).unwrap_or_default();
            if count > 64 {
                return Err(strange());
            }
            (0..count).map(|_| reply(from)).collect::<Result<_, _>>().map(Reply::List)
        }
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_without_a_password() {
        let place = |url: &str| Place::of(url, None);
        assert_eq!(place("redis://localhost").unwrap().host, Host::Tcp("localhost".into(), 6379));
        let whole = place("redis://me@[::1]:7/3").unwrap();
        assert_eq!(
            (whole.host, whole.user.as_deref(), whole.database),
            (Host::Tcp("::1".into(), 7), Some("me"), 3)
        );
        assert_eq!(place("unix:/run/redis.sock").unwrap().host, Host::Unix("/run/redis.sock".into()));
        assert!(place("redis://cache.lan:6379?tls=disable").is_err(), "no database, no query");
        assert!(place("redis://cache.lan:6379/?tls=disable").is_ok());
        for bad in
            ["redis://me:word@localhost", "redis://cache.lan", "http://x", "redis://", "redis://localhost/x"]
        {
            let told = place(bad).unwrap_err();
            assert!(!told.contains("word@"), "{told}");
        }
    }

    #[test]
    fn a_value_is_json_and_its_version_is_where_the_script_looks() {
        let item = |row: Option<&str>| Item {
            line: 1,
            pk: Key::Number("1".into()),
            sk: None,
            version: u64::MAX,
            row: row.map(|row| row.as_bytes().into()),
        };
        let written = |row| {
            let mut out = Vec::new();
            value(&item(row), &mut out);
            match reply(&mut &out[..]).unwrap() {
                Reply::Text(Some(text)) => String::from_utf8(text).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let put = written(Some(r#"{"a":1}"#));
        assert_eq!(put, r#"{"v":"18446744073709551615","row":{"a":1}}"#);
        assert_eq!((&put[..6], &put[6..26]), (r#"{"v":""#, "18446744073709551615"));
        assert_eq!(written(None).len(), 28);
    }

    #[test]
    fn answers_are_read_and_nonsense_is_refused() {
        let read = |text: &str| reply(&mut text.as_bytes());
        let list = read("*2\r\n:1\r\n$2\r\nab\r\n").unwrap();
        assert_eq!(list, Reply::List(vec![Reply::Number(1), Reply::Text(Some(b"ab".to_vec()))]));
        assert_eq!(read("-ERR no\r\n").unwrap(), Reply::Error("ERR no".into()));
        assert_eq!(read("$-1\r\n").unwrap(), Reply::Text(None));
        assert_eq!(read("").unwrap_err().kind(), ErrorKind::UnexpectedEof);
        for bad in ["HTTP/1.1 400\r\n", "*9999\r\n", "$99999999999\r\n", ":x\r\n"] {
            assert_eq!(read(bad).unwrap_err().kind(), ErrorKind::InvalidData, "{bad}");
        }
    }
}
