//! Asking one member.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_prost::ProstCodec;

use crate::wire::{self, Empty};
use crate::{Alarm, Error, Member, Members, Result, Snapshot, Status};

/// Far above any bundle of certificates.
const PEM_BYTES: u64 = 4 << 20;
/// How much a member may send ahead of what was read: a snapshot must not
/// wait for our acknowledgements.
const WINDOW_BYTES: u32 = 8 << 20;

/// Whom to believe, and who we are; all PEM.
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Certificate>,
    identity: Option<Identity>,
}

impl Tls {
    /// From files: `pki/etcd/ca.crt` and a client certificate with its key
    /// of a kubeadm node, for instance.
    ///
    /// # Errors
    /// Fails if a file cannot be read; what they hold is judged by [`Client::new`].
    pub fn files(ca: Option<&Path>, certificate: Option<(&Path, &Path)>) -> files::Result<Self> {
        let read = |path: &Path| files::read(path, PEM_BYTES);
        let identity = match certificate {
            Some((certificate, key)) => Some(Identity::from_pem(read(certificate)?, read(key)?)),
            None => None,
        };
        Ok(Self { ca: ca.map(read).transpose()?.map(Certificate::from_pem), identity })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

/// A member to ask. May be shared between threads, but not be used inside an
/// async runtime.
#[derive(Debug)]
pub struct Client {
    url: String,
    endpoint: Endpoint,
    channel: OnceCell<Channel>,
    runtime: Arc<Runtime>,
}

impl Client {
    /// The member at a URL such as `https://10.0.0.21:2379`. Nothing is asked yet.
    ///
    /// # Errors
    /// Fails if the URL or the certificates make no sense.
    pub fn new(url: &str, tls: &Tls) -> Result<Self> {
        let wrong = |why: &str| Error::Invalid(format!("`{url}` {why}"));
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| wrong("is no URL"))?;
        let host = endpoint.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || endpoint.uri().path() != "/" {
            return Err(wrong("is not the URL of a member, such as https://10.0.0.21:2379"));
        }
        let mut endpoint = endpoint
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(2 * WINDOW_BYTES)
            .tcp_nodelay(true);
        match endpoint.uri().scheme_str() {
            Some("http") => {}
            Some("https") => {
                let ca = tls.ca.clone().ok_or_else(|| wrong("speaks TLS: the CA to believe is missing"))?;
                let mut config = ClientTlsConfig::new().ca_certificate(ca).domain_name(host);
                if let Some(identity) = &tls.identity {
                    config = config.identity(identity.clone());
                }
                endpoint = endpoint.tls_config(config).map_err(|error| {
                    Error::Invalid(match Error::of_transport(&error) {
                        Error::Tls(text) | Error::Broken(text) | Error::Invalid(text) => {
                            format!("using the certificates: {text}")
                        }
                        other => other.to_string(),
                    })
                })?;
            }
            _ => return Err(wrong("is neither http nor https")),
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = Arc::new(runtime.map_err(|error| Error::Broken(error.to_string()))?);
        Ok(Self { url: url.to_owned(), endpoint, channel: OnceCell::new(), runtime })
    }

    /// The URL it was made with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the member says of itself. Needs no quorum.
    ///
    /// # Errors
    /// Fails if the member does not answer by the deadline.
    pub fn status(&self, deadline: Instant) -> Result<Status> {
        let answer: wire::StatusResponse = self.ask("Maintenance/Status", Empty {}, deadline)?;
        Ok(answer.into())
    }

    /// The membership as this member knows it. Needs no quorum.
    ///
    /// # Errors
    /// Fails if the member does not answer by the deadline.
    pub fn members(&self, deadline: Instant) -> Result<Members> {
        // All fields at their default also asks 3.5 and newer for its own knowledge only.
        let answer: wire::MembersResponse = self.ask("Cluster/MemberList", Empty {}, deadline)?;
        Ok(answer.into())
    }

    /// The alarms that are armed. Needs quorum since etcd 3.5 only to set them, not to read them.
    ///
    /// # Errors
    /// Fails if the member does not answer by the deadline.
    pub fn alarms(&self, deadline: Instant) -> Result<Vec<Alarm>> {
        let answer: wire::AlarmResponse = self.ask("Maintenance/Alarm", Empty {}, deadline)?;
        Ok(answer.alarms.into_iter().map(Alarm::from).collect())
    }

    /// Has the member agree with a majority on something: a read that must
    /// be up to date. A key we may not read is an agreement too.
    ///
    /// # Errors
    /// Fails if there is no majority by the deadline.
    pub fn agree(&self, deadline: Instant) -> Result<()> {
        let key = wire::RangeRequest { key: Bytes::from_static(b"health"), count_only: true };
        match self.ask::<_, Empty>("KV/Range", key, deadline) {
            Ok(_) | Err(Error::Denied { code: crate::Code::Permission, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Adds a member, as a learner or with a vote; it has no name until it starts.
    /// Without an answer it may have been added all the same: ask for the members.
    ///
    /// # Errors
    /// Fails if the cluster refuses or does not answer by the deadline.
    pub fn member_add(&self, peer_urls: &[String], learner: bool, deadline: Instant) -> Result<Member> {
        let request = wire::MemberAddRequest { peer_urls: peer_urls.to_vec(), is_learner: learner };
        let answer: wire::MemberAddResponse = self.ask("Cluster/MemberAdd", request, deadline)?;
        Ok(answer.member.unwrap_or_default().into())
    }

    /// Removes a member for good; the members that are left.
    ///
    /// # Errors
    /// Fails if there is no such member, the cluster refuses, or does not answer by the deadline.
    pub fn member_remove(&self, id: u64, deadline: Instant) -> Result<Members> {
        let answer: wire::MembersResponse =
            self.ask("Cluster/MemberRemove", wire::MemberRequest { id }, deadline)?;
        Ok(answer.into())
    }

    /// Gives a learner its vote.
    ///
    /// # Errors
    /// Fails if it is no learner, has not caught up, or the cluster does not answer by the deadline.
    pub fn member_promote(&self, id: u64, deadline: Instant) -> Result<Members> {
        let answer: wire::MembersResponse =
            self.ask("Cluster/MemberPromote", wire::MemberRequest { id }, deadline)?;
        Ok(answer.into())
    }

    /// Begins to stream the database.
    ///
    /// # Errors
    /// Fails if the member does not begin by the deadline.
    pub fn snapshot(&self, deadline: Instant) -> Result<Snapshot> {
        let stream = self.within(deadline, async {
            let mut grpc = self.grpc().await?;
            let codec = ProstCodec::<Empty, wire::SnapshotResponse>::default();
            let path = PathAndQuery::from_static("/etcdserverpb.Maintenance/Snapshot");
            let answer = grpc.server_streaming(tonic::Request::new(Empty {}), path, codec).await;
            answer.map_err(|status| Error::of_status(&status))
        })?;
        Ok(Snapshot::new(stream.into_inner(), Arc::clone(&self.runtime)))
    }

    fn ask<Q, A>(&self, what: &str, request: Q, deadline: Instant) -> Result<A>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        self.within(deadline, async {
            let mut grpc = self.grpc().await?;
            let path = PathAndQuery::try_from(format!("/etcdserverpb.{what}"))
                .map_err(|error| Error::Invalid(error.to_string()))?;
            let codec = ProstCodec::<Q, A>::default();
            let answer = grpc.unary(tonic::Request::new(request), path, codec).await;
            answer.map(tonic::Response::into_inner).map_err(|status| Error::of_status(&status))
        })
    }

    /// Connects at the first call, so that it is told why that failed; afterwards the channel reconnects by itself.
    async fn grpc(&self) -> Result<Grpc<Channel>> {
        let connect = || async { self.endpoint.connect().await.map_err(|error| Error::of_transport(&error)) };
        let mut grpc = Grpc::new(self.channel.get_or_try_init(connect).await?.clone());
        grpc.ready().await.map_err(|error| Error::of_transport(&error))?;
        Ok(grpc)
    }

    fn within<T>(&self, deadline: Instant, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(async {
            tokio::time::timeout_at(deadline.into(), call).await.unwrap_or(Err(Error::Timeout))
        })
    }
}
