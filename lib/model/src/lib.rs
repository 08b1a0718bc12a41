//! Every record that travels between two commands, one module a topic.
//!
//! A record is one line of JSON whose first field, `record`, names its type,
//! so that a stream can mix types:
//!
//! ```json
//! {"record":"finding","tool":"lb-render","target":"haproxy.cfg","check":"timeout-short", …}
//! ```
//!
//! Units are part of a field's name (`timeout_ms`, `used_bytes`), times are
//! RFC 3339 in UTC, enums are lower-case words, and what is not known is null.
//! Fields are only ever added.

mod balancer;
mod calico;
mod certificate;
mod change;
mod check;
mod credentials;
mod dag;
mod difference;
mod drill;
mod etcd;
mod extract;
mod fault;
mod file;
mod finding;
mod host;
mod lag;
mod lake;
mod message;
mod metric;
mod network;
mod prediction;
mod reject;
#[cfg(feature = "schema")]
mod schema;
mod ssh;
mod step;
mod vrrp;
mod warehouse;

pub use balancer::{LbServer, LbWorker, ServerStatus, WorkerRole};
pub use calico::{CalicoSetting, CalicoState};
pub use certificate::Certificate;
pub use change::{Action, Change};
pub use check::{Check, CheckedVip, VipCheck};
pub use credentials::Credentials;
pub use dag::{DagRun, DagState};
pub use difference::Difference;
pub use drill::{Drill, DrillPlan, DrillRequest, DrillRun, LongLived, PredictedMs, Spread};
pub use etcd::{EtcdBackup, EtcdMember};
pub use extract::{ChangeSource, Checkpoint, LogPlace, RowChange, RowOp};
pub use fault::{Fault, Kind};
pub use file::WantedFile;
pub use finding::{Finding, Severity, Status};
pub use host::{BmcEntry, HostEntry, SshEntry};
pub use lag::{Lag, LagState};
pub use lake::LakeFile;
pub use message::Message;
pub use metric::Metric;
pub use network::NetworkSize;
pub use prediction::Prediction;
pub use reject::Reject;
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use ssh::{SshError, SshResult};
pub use step::{NextStep, Step};
pub use vrrp::{
    CheckFile, Vip, VipHolder, VipVerdict, VrrpEntry, VrrpEvent, VrrpScope, VrrpState, VrrpStates,
};
pub use warehouse::{Load, LoadPlan};
