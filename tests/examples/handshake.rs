//! The floor under `ha-vipcheck`: verified TLS connections with one GET each,
//! and nothing else. Written to be compared with, not to be used.
//!
//! ```sh
//! $ handshake ADDRESS CA NAME COUNT
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, ca, name, count] = words.as_slice() else {
        return Err("use: handshake ADDRESS CA NAME COUNT".into());
    };
    let address: SocketAddr = address.parse()?;
    let name = ServerName::try_from(name.clone())?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for _ in 0..count.parse::<u32>()? {
        // Resumption would make the second connection cheaper than a check's.
        let mut config = ClientConfig::clone(&config);
        config.resumption = rustls::client::Resumption::disabled();
        get(address, &name, Arc::new(config))?;
    }
    Ok(())
}

fn get(
    address: SocketAddr,
    name: &ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<(), Box<dyn Error>> {
    let mut connection = ClientConnection::new(config, name.clone())?;
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: kubernetes\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 512];
    let length = stream.read(&mut answer)?;
    if !answer.get(..length).is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200")) {
        return Err("not 200".into());
    }
    Ok(())
}
