//! Servers that fail in every phase, and what a check says of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use probe::{Cause, Phase, Reply, Target, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate authority and a server it vouches for.
struct Pki {
    ca: Vec<u8>,
    config: Arc<ServerConfig>,
}

fn pki(expires: i32) -> Pki {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["kubernetes".into()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(expires, 1, 1);
    let certificate = params.signed_by(&key, &ca).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    Pki { ca: ca.pem().into_bytes(), config: Arc::new(config) }
}

/// The port of a server that treats one connection so.
fn server(treat: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || treat(listener.accept().unwrap().0));
    port
}

/// Reads a request and answers with these pieces, a pause before each.
fn answer(mut stream: impl Read + Write, pieces: &[&str], pause: Duration) {
    let _ = stream.read(&mut [0; 1024]);
    for piece in pieces {
        thread::sleep(pause);
        if stream.write_all(piece.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn http(pieces: &'static [&'static str], pause: Duration) -> Reply {
    let port = server(move |stream| answer(stream, pieces, pause));
    let target = Target::new(&format!("http://127.0.0.1:{port}/readyz"), &Trust::Insecure, None).unwrap();
    target.get(Instant::now() + Duration::from_millis(300))
}

fn https(pki: &Pki, trust: &Trust, name: &str) -> Reply {
    let config = Arc::clone(&pki.config);
    let port = server(move |stream| {
        let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        answer(tls, &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], Duration::ZERO);
    });
    let target = Target::new(&format!("https://127.0.0.1:{port}/readyz"), trust, Some(name)).unwrap();
    target.get(Instant::now() + Duration::from_secs(2))
}

fn end(reply: &Reply) -> (Phase, Option<Cause>) {
    (reply.phase, reply.error.as_ref().map(|failure| failure.cause))
}

#[test]
fn a_verified_answer_tells_its_phases_and_the_certificates_end() {
    let pki = pki(2090);
    let reply = https(&pki, &Trust::Ca(pki.ca.clone()), "kubernetes");
    assert_eq!(end(&reply), (Phase::Body, None), "{:?}", reply.error);
    assert!(reply.ok(&[200]) && !reply.ok(&[204]));
    let times = [reply.times.connect, reply.times.tls, reply.times.http, Some(reply.elapsed)];
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
    let days = reply.not_after.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    assert_eq!(days, 43_830, "2090-01-01");
}

#[test]
fn a_stranger_a_wrong_name_and_an_expired_certificate_are_refused_in_the_handshake() {
    let (good, other, expired) = (pki(2090), pki(2090), pki(2021));
    for (server, ca, name) in [
        (&good, &other.ca, "kubernetes"),
        (&good, &good.ca, "localhost"),
        (&expired, &expired.ca, "kubernetes"),
    ] {
        let reply = https(server, &Trust::Ca(ca.clone()), name);
        assert_eq!(end(&reply), (Phase::Tls, Some(Cause::Certificate)), "{:?}", reply.error);
    }
    assert!(https(&expired, &Trust::Insecure, "localhost").ok(&[200]));
}

#[test]
fn a_server_that_is_silent_or_gone_in_the_handshake_is_told_from_one_that_is_not_there() {
    let ask = |treat: fn(TcpStream)| {
        let target = format!("https://127.0.0.1:{}/", server(treat));
        let target = Target::new(&target, &Trust::Insecure, None).unwrap();
        end(&target.get(Instant::now() + Duration::from_millis(200)))
    };
    assert_eq!(
        ask(|stream| thread::sleep(stream.ttl().map_or(Duration::ZERO, |_| Duration::from_secs(1)))),
        (Phase::Tls, Some(Cause::Timeout))
    );
    let (phase, cause) = ask(drop);
    assert_eq!(phase, Phase::Tls);
    assert!(matches!(cause, Some(Cause::Eof | Cause::Reset)), "{cause:?}");
    let spoken = ask(|mut stream| drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")));
    assert!(matches!(spoken, (Phase::Tls, Some(Cause::Tls | Cause::Reset))), "{spoken:?}");
}

#[test]
fn answers_end_as_http_says_they_do() {
    let whole = |pieces| end(&http(pieces, Duration::ZERO));
    assert_eq!(whole(&["HTTP/1.1 200 OK\r\n\r\nuntil closed"]), (Phase::Body, None));
    assert_eq!(whole(&["HTTP/1.1 204 No\r\n\r\n"]), (Phase::Body, None));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    assert_eq!(
        whole(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "0\r\n\r\n"]),
        (Phase::Body, None)
    );
    let port = server(move |stream| answer(stream, &[chunked], Duration::ZERO));
    let target = Target::new(&format!("http://127.0.0.1:{port}/"), &Trust::Insecure, None).unwrap();
    let cut = target.get(Instant::now() + Duration::from_secs(1));
    assert_eq!(end(&cut), (Phase::Body, Some(Cause::Eof)));
    assert_eq!(
        whole(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]),
        (Phase::Body, Some(Cause::Eof))
    );
    assert_eq!(whole(&["220 smtp ready\r\n"]), (Phase::Http, Some(Cause::Garbled)));
    assert_eq!(whole(&[]), (Phase::Http, Some(Cause::Eof)));
}

#[test]
fn a_redirect_is_not_followed() {
    let reply =
        http(&["HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"], Duration::ZERO);
    assert_eq!((reply.status, reply.ok(&[200])), (Some(302), false));
}

#[test]
fn a_server_that_drips_does_not_outlast_the_deadline() {
    let reply = http(&["H", "T", "T", "P", "/", "1", ".", "1", " "], Duration::from_millis(90));
    assert_eq!(end(&reply), (Phase::Http, Some(Cause::Timeout)));
    let elapsed = reply.elapsed;
    assert!(elapsed >= Duration::from_millis(299) && elapsed < Duration::from_millis(600), "{elapsed:?}");
}
