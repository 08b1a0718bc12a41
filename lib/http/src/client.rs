//! Asking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use tokio::runtime::{Builder, Runtime};

use crate::{Error, Identity, Request, Response, Result, Token, Trust};

/// Whom to trust, and who we are.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The certificate we show; `None` shows none.
    pub identity: Option<Identity>,
    /// The token we carry; `None` carries none.
    pub token: Option<Token>,
    /// Where a host really is, whatever its name resolves to: asks one server
    /// of many under the name its certificate has.
    pub resolve: Vec<(String, SocketAddr)>,
    /// How many redirects are followed; the token is dropped when they leave the host.
    pub redirects: usize,
}

/// Makes calls; connections are kept between them.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    runtime: Arc<Runtime>,
    token: Option<Token>,
}

impl Client {
    /// A client of these options.
    ///
    /// # Errors
    /// Fails if the certificates or the key cannot be used.
    pub fn new(options: &Options) -> Result<Self> {
        // Somebody may have chosen before: it is ring all the same (deny.toml).
        let _ = rustls::crypto::ring::default_provider().install_default();
        let redirects = match options.redirects {
            0 => Policy::none(),
            most => Policy::limited(most),
        };
        let mut builder = reqwest::Client::builder().no_proxy().redirect(redirects).user_agent("bareplane");
        builder = match &options.trust {
            Trust::System => builder,
            Trust::Ca(pem) => builder.tls_certs_only(Trust::certificates(pem)?),
            Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
        };
        if let Some(identity) = &options.identity {
            builder = builder.identity(identity.identity()?);
        }
        for (host, address) in &options.resolve {
            builder = builder.resolve(host, *address);
        }
        let http = builder.build().map_err(|error| Error::Certificates(cause(&error)))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Local)?;
        Ok(Self { http, runtime: Arc::new(runtime), token: options.token.clone() })
    }

    /// Asks for a URL; see [`Client::send`].
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn get(&self, url: &str, deadline: Instant) -> Result<Response> {
        self.send(&Request::get(url), deadline)
    }

    /// Makes a call. The deadline holds for all of it, the body included.
    /// Any HTTP status is an answer; [`Response::success`] wants a good one.
    ///
    /// # Errors
    /// Fails if the request makes no sense, or no answer came by the deadline.
    pub fn send(&self, request: &Request, deadline: Instant) -> Result<Response> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Error::Request(format!("`{}` is no method", request.method)))?;
        let mut built = self.http.request(method, &request.url).body(request.body.clone());
        for (name, value) in &request.headers {
            let wrong = || Error::Request(format!("`{name}` is no header, or its value is none"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            built = built.header(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
        }
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&token.header()?)
                .map_err(|_| Error::Request("the token is no token".into()))?;
            value.set_sensitive(true);
            built = built.header(AUTHORIZATION, value);
        }
        if deadline <= Instant::now() {
            return Err(Error::Timeout);
        }
        let answer = self.runtime.block_on(async {
            tokio::time::timeout_at(deadline.into(), built.send()).await.map_err(|_| Error::Timeout)
        });
        Ok(Response::new(answer??, Arc::clone(&self.runtime), deadline))
    }
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}
