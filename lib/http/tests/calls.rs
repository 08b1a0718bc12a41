//! Calls against small servers of our own, over plain TCP and over TLS.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http::{Client, Error, Identity, Options, Request, Token, Trust};
use model::{Fault, Kind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn plain() -> Client {
    Client::new(&Options::default()).unwrap()
}

/// Serves each connection with `serve`, which gets what was asked.
fn server(serve: impl Fn(&mut TcpStream, String) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let asked = head(&mut connection);
            serve(&mut connection, asked);
        }
    });
    address
}

fn head(connection: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && connection.read(&mut byte).unwrap() == 1 {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn answering(answer: &'static str) -> String {
    let address = server(move |connection, _| connection.write_all(answer.as_bytes()).unwrap());
    format!("http://{address}/")
}

#[test]
fn an_answer_has_a_status_headers_and_a_body() {
    let url = answering("HTTP/1.1 200 OK\r\nX-Is: there\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    let answer = plain().get(&url, soon()).unwrap().success().unwrap();
    assert_eq!((answer.status(), answer.header("x-is"), answer.length()), (200, Some("there"), Some(7)));
    let json: serde_json::Value = answer.json(100).unwrap();
    assert_eq!(json["a"], 1);
}

#[test]
fn a_body_above_its_bound_is_refused_and_one_at_its_bound_is_not() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(plain().get(&url, soon()).unwrap().text(5).unwrap(), "hello");
    let error = plain().get(&url, soon()).unwrap().text(4).unwrap_err();
    assert!(matches!(error, Error::TooLong { limit_bytes: 4 }), "{error:?}");
}

#[test]
fn a_stream_gives_every_byte_in_order() {
    let address = server(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for piece in 0..1000u32 {
            write!(connection, "{:x}\r\n{piece:04}\r\n", 4).unwrap();
        }
        connection.write_all(b"0\r\n\r\n").unwrap();
    });
    let mut text = String::new();
    plain().get(&format!("http://{address}/"), soon()).unwrap().reader().read_to_string(&mut text).unwrap();
    assert_eq!(text, (0..1000).map(|piece| format!("{piece:04}")).collect::<String>());
}

#[test]
fn a_body_that_breaks_off_is_worth_another_try() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
    let error = plain().get(&url, soon()).unwrap().bytes(100).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
}

#[test]
fn the_deadline_holds_before_the_answer_and_within_the_body() {
    for begun in ["", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"] {
        let address = server(move |connection, _| {
            connection.write_all(begun.as_bytes()).unwrap();
            thread::sleep(Duration::from_secs(20));
        });
        let start = Instant::now();
        let deadline = start + Duration::from_millis(200);
        let answer =
            plain().get(&format!("http://{address}/"), deadline).and_then(|answer| answer.bytes(100));
        let error = answer.unwrap_err();
        assert_eq!((error.word(), error.kind()), ("timeout", Kind::Unavailable));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[test]
fn a_refusal_is_quoted_and_says_how_long_to_wait() {
    let url = answering(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 12\r\n\r\nslow\n\ndown\u{1b}\n",
    );
    let error = plain().get(&url, soon()).unwrap().success().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!((error.to_string().as_str(), error.kind()), ("answered 429: slow down", Kind::Unavailable));
}

#[test]
fn a_redirect_is_an_answer_unless_it_is_to_be_followed() {
    let address = server(|connection, asked| {
        let answer = if asked.starts_with("GET /old") {
            "HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        };
        connection.write_all(answer.as_bytes()).unwrap();
    });
    let url = format!("http://{address}/old");
    assert_eq!(plain().get(&url, soon()).unwrap().status(), 302);
    let follows = Client::new(&Options { redirects: 3, ..Options::default() }).unwrap();
    assert_eq!(follows.get(&url, soon()).unwrap().status(), 200);
}

#[test]
fn headers_body_and_token_arrive() {
    let address = server(|connection, asked| {
        let asked = asked.to_lowercase();
        let right = asked.starts_with("post /x")
            && asked.contains("authorization: bearer t0")
            && asked.contains("x-a: b");
        let mut body = [0; 2];
        connection.read_exact(&mut body).unwrap();
        let status = if right && &body == b"{}" { 200 } else { 400 };
        write!(connection, "HTTP/1.1 {status} .\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let options = Options { token: Some(Token::Text("t0\n".into())), ..Options::default() };
    let request = Request::post_json(&format!("http://{address}/x"), "{}").header("x-a", "b");
    assert_eq!(Client::new(&options).unwrap().send(&request, soon()).unwrap().status(), 200);
}

#[test]
fn nonsense_is_refused_before_anybody_is_asked() {
    for request in [
        Request::get("nonsense"),
        Request::get("http://"),
        Request::new("G ET", "http://127.0.0.1:1/"),
        Request::get("http://127.0.0.1:1/").header("a b", "c"),
        Request::get("http://127.0.0.1:1/").header("a", "b\nc"),
    ] {
        let error = plain().send(&request, soon()).unwrap_err();
        assert_eq!((error.word(), error.kind()), ("invalid", Kind::Invalid), "{request:?}: {error:?}");
    }
}

#[test]
fn a_name_without_an_address_is_worth_another_try() {
    let error = plain().get("http://nobody.invalid/", soon()).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("resolve", Kind::Unavailable), "{error:?}");
}

/// A certificate authority, a server that wants certificates of it, a client's certificate.
struct Tls {
    ca: String,
    address: SocketAddr,
    client: Identity,
}

fn tls() -> Tls {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        (leaf.pem(), key.serialize_pem())
    };
    let (certificate, key) = issue("etcd.lan");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, connection.unwrap());
            let mut asked = [0; 4096];
            if stream.read(&mut asked).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                let _ = stream.flush();
            }
        }
    });
    let (certificate, key) = issue("client");
    Tls { ca: ca.pem(), address, client: Identity::pem(certificate.as_bytes(), key.as_bytes()) }
}

#[test]
fn both_sides_show_their_certificates() {
    let tls = tls();
    let url = format!("https://etcd.lan:{}/", tls.address.port());
    let right = Options {
        trust: Trust::Ca(tls.ca.clone().into_bytes()),
        identity: Some(tls.client.clone()),
        resolve: vec![("etcd.lan".into(), tls.address)],
        ..Options::default()
    };
    let ask = |options: &Options, url: &str| {
        Client::new(options).unwrap().get(url, soon()).and_then(|answer| answer.text(10))
    };
    assert_eq!(ask(&right, &url).unwrap(), "ok");
    // Another authority, another name, no certificate of our own.
    let stranger = Options { trust: Trust::System, ..right.clone() };
    let error = ask(&stranger, &url).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("certificate", Kind::Invalid), "{error:?}");
    let error = ask(&right, &format!("https://{}/", tls.address)).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("certificate", Kind::Invalid), "{error:?}");
    let nobody = Options { identity: None, ..right.clone() };
    let error = ask(&nobody, &url).unwrap_err();
    assert_eq!((error.word(), error.kind()), ("tls", Kind::Invalid), "{error:?}");
    assert_eq!(ask(&Options { trust: Trust::Anybody, ..right }, &url).unwrap(), "ok");
}
