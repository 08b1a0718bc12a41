//! Asking.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::head::{Body, HEAD_BYTES, Head, Parsed, last_chunk, parse};
use crate::stream::Timed;
use crate::trust::Keeper;
use crate::url::Url;
use crate::{Cause, Error, Failure, Phase, Reply, Stream, Times, Trust, certificate};

/// The longest body that is read; what is longer is left unread, and no failure.
const BODY_BYTES: u64 = 1 << 20;

/// Where to ask, and whom to trust.
#[derive(Clone, Debug)]
pub struct Target {
    addresses: Vec<SocketAddr>,
    request: Vec<u8>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A connection on which nothing has been asked yet.
#[derive(Debug)]
pub struct Connection {
    /// The connection, with the deadline it was made under.
    pub stream: Stream,
    /// When its stages were done.
    pub times: Times,
    /// When the server's certificate expires; `None` without TLS.
    pub not_after: Option<SystemTime>,
}

impl Target {
    /// Takes a URL apart and finds its addresses, once: a name is resolved
    /// here and never again. `server_name` is what the certificate must be
    /// for, if not the URL's host.
    ///
    /// # Errors
    /// Fails if the URL, the name or the certificates make no sense, or if
    /// the host's name has no address.
    pub fn new(url: &str, trust: &Trust, server_name: Option<&str>) -> Result<Self, Error> {
        let url = Url::parse(url)?;
        let resolve = |source| Error::Resolve { host: url.host.clone(), source };
        let addresses: Vec<_> = (url.host.as_str(), url.port).to_socket_addrs().map_err(resolve)?.collect();
        if addresses.is_empty() {
            return Err(resolve(ErrorKind::AddrNotAvailable.into()));
        }
        let name = server_name.unwrap_or(&url.host);
        let tls = if url.tls {
            let verified = ServerName::try_from(name.to_owned());
            let verified = verified.map_err(|_| Error::ServerName(name.to_owned()))?;
            Some((Arc::new(trust.config()?), verified))
        } else {
            None
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bareplane\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            url.path, url.authority
        );
        Ok(Self { addresses, request: request.into_bytes(), tls })
    }

    /// Makes every handshake a full one, as that of a new client is.
    /// Without it the second and later ones resume the session.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        if let Some((config, _)) = &mut self.tls {
            Arc::make_mut(config).resumption = Resumption::disabled();
        }
        self
    }

    /// The addresses, in the order in which they are tried.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Asks, and says what came of it by the deadline.
    pub fn get(&self, deadline: Instant) -> Reply {
        let start = Instant::now();
        let mut reply = Reply {
            phase: Phase::Connect,
            status: None,
            elapsed: start.elapsed(),
            times: Times::default(),
            error: None,
            not_after: None,
        };
        reply.error = self.converse(start, deadline, &mut reply).err();
        reply.elapsed = start.elapsed();
        reply
    }

    /// Opens a connection and shakes hands, for a longer conversation.
    ///
    /// # Errors
    /// Fails with the stage it got to and the reason.
    pub fn connect(&self, deadline: Instant) -> Result<Connection, (Phase, Failure)> {
        let (start, mut times) = (Instant::now(), Times::default());
        let mut not_after = None;
        let opened = self.open(start, deadline, &mut times, &mut not_after);
        let phase = if times.connect.is_some() { Phase::Tls } else { Phase::Connect };
        opened.map(|stream| Connection { stream, times, not_after }).map_err(|failure| (phase, failure))
    }

    /// The certificates the server shows, DER, its own first; none over plain
    /// HTTP. Nobody is trusted and nothing is asked: a server that would turn
    /// us away for our own certificate has shown its own before.
    ///
    /// # Errors
    /// Fails with the stage it got to and the reason.
    pub fn chain(&self, deadline: Instant) -> Result<Vec<Vec<u8>>, (Phase, Failure)> {
        let Some((config, name)) = &self.tls else { return Ok(Vec::new()) };
        let mut socket = self.socket(deadline).map_err(|error| (Phase::Connect, error.into()))?;
        let (config, keeper) = Keeper::config(ClientConfig::clone(config));
        let session = ClientConnection::new(Arc::new(config), name.clone());
        let mut session = session.map_err(|error| (Phase::Tls, error.into()))?;
        while session.is_handshaking() {
            match session.complete_io(&mut socket) {
                Err(error) if keeper.shown().is_empty() => return Err((Phase::Tls, error.into())),
                Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(keeper.shown())
    }

    /// The request [`Target::get`] sends, for who sends it on a [`Connection`].
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    fn converse(&self, start: Instant, deadline: Instant, reply: &mut Reply) -> Result<(), Failure> {
        let opened = self.open(start, deadline, &mut reply.times, &mut reply.not_after);
        if reply.times.connect.is_some() {
            reply.phase = Phase::Tls;
        }
        let mut stream = opened?;
        reply.phase = Phase::Http;
        stream.write_all(&self.request)?;
        stream.flush()?;
        let mut buffer = Vec::with_capacity(4096);
        let (head, length) = read_head(&mut stream, &mut buffer)?;
        reply.times.http = Some(start.elapsed());
        reply.status = Some(head.status);
        reply.phase = Phase::Body;
        read_body(&mut stream, head.body, &buffer[length..])
    }

    /// A connection to the first address that takes one.
    fn socket(&self, deadline: Instant) -> io::Result<Timed> {
        let mut socket = Err(ErrorKind::AddrNotAvailable.into());
        for address in &self.addresses {
            socket = Timed::connect(address, deadline);
            if socket.is_ok() {
                break;
            }
        }
        socket
    }

    fn open(
        &self,
        start: Instant,
        deadline: Instant,
        times: &mut Times,
        not_after: &mut Option<SystemTime>,
    ) -> Result<Stream, Failure> {
        let mut socket = self.socket(deadline)?;
        times.connect = Some(start.elapsed());
        let Some((config, name)) = &self.tls else { return Ok(Stream::plain(socket)) };
        let mut session = ClientConnection::new(Arc::clone(config), name.clone())?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        times.tls = Some(start.elapsed());
        let chain = session.peer_certificates().unwrap_or_default();
        *not_after = chain.first().and_then(|der| certificate::not_after(der));
        Ok(Stream::tls(session, socket))
    }
}

/// Asks once more on a connection that is kept, and reads the whole answer.
pub(crate) fn exchange(stream: &mut Stream, request: &[u8]) -> Result<(), Failure> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut buffer = Vec::new();
    let (head, length) = read_head(stream, &mut buffer)?;
    read_body(stream, head.body, &buffer[length..])
}

fn read_head(stream: &mut Stream, buffer: &mut Vec<u8>) -> Result<(Head, usize), Failure> {
    let mut piece = [0; 4096];
    while buffer.len() < HEAD_BYTES {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(Failure::new(Cause::Eof, "closed before it had answered"));
        }
        buffer.extend_from_slice(&piece[..read]);
        match parse(buffer) {
            Parsed::Whole(head, length) => return Ok((head, length)),
            Parsed::Garbled(why) => return Err(Failure::new(Cause::Garbled, why)),
            Parsed::Partial => {}
        }
    }
    Err(Failure::new(Cause::Garbled, "the head of the answer is longer than 64 KiB"))
}

fn read_body(stream: &mut Stream, body: Body, begun: &[u8]) -> Result<(), Failure> {
    let mut tail = begun.to_vec();
    let mut total = begun.len() as u64;
    let mut piece = [0; 4096];
    loop {
        let done = match body {
            Body::Length(length) => total >= length,
            Body::Chunked => last_chunk(&tail),
            Body::Close => false,
        };
        if done || total >= BODY_BYTES {
            return Ok(());
        }
        let read = match stream.read(&mut piece) {
            // Closed without TLS's own goodbye: where closing is the end, it still is.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        if read == 0 {
            return if body == Body::Close { Ok(()) } else { Err(cut().into()) };
        }
        total += read as u64;
        tail.extend_from_slice(&piece[..read]);
        // The longest end that is looked for has seven bytes.
        tail.drain(..tail.len().saturating_sub(16));
    }
}

fn cut() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "closed in the middle of the body")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use rustls::server::WebPkiClientVerifier;
    use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    /// A server that turns away whoever shows no certificate: its address, its own certificate.
    fn strict(version: &'static SupportedProtocolVersion) -> (SocketAddr, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(vec!["etcd".into()]).unwrap();
        let own = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own.clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut session = ServerConnection::new(Arc::new(config)).unwrap();
            while session.is_handshaking() && session.complete_io(&mut socket).is_ok() {}
        });
        (address, own)
    }

    fn chain(address: SocketAddr) -> Result<Vec<Vec<u8>>, (Phase, Failure)> {
        let target = Target::new(&format!("https://{address}/"), &Trust::Insecure, None).unwrap();
        target.chain(Instant::now() + Duration::from_millis(500))
    }

    #[test]
    fn who_wants_a_certificate_of_us_still_shows_its_own() {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (address, own) = strict(version);
            assert_eq!(chain(address).unwrap(), [own.to_vec()], "{version:?}");
        }
    }

    #[test]
    fn nobody_no_tls_and_silence_are_told_apart_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(chain(address).unwrap_err().1.cause, Cause::Timeout);
        let speaker = thread::spawn(move || {
            // The one that waited in vain comes first.
            for socket in listener.incoming().take(2) {
                let _ = socket.unwrap().write_all(b"SSH-2.0-here\r\n");
            }
        });
        assert_eq!(chain(address).unwrap_err().0, Phase::Tls);
        speaker.join().unwrap();
        let (phase, failure) = chain(address).unwrap_err();
        assert_eq!((phase, failure.cause), (Phase::Connect, Cause::Refused));
    }
}
