//! The JSON Schema of every record, by the record's name.

use schemars::{JsonSchema, Schema, schema_for};

/// Every record type with its schema. A new record is added here once;
/// commands name it in `reads` and `writes` of their Cargo.toml.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    fn entry<T: JsonSchema>(name: &'static str) -> (&'static str, Schema) {
        (name, schema_for!(T))
    }
    vec![
        entry::<crate::CalicoSetting>("calico-setting"),
        entry::<crate::Certificate>("certificate"),
        entry::<crate::Change>("change"),
        entry::<crate::Checkpoint>("checkpoint"),
        entry::<crate::Credentials>("credentials"),
        entry::<crate::DagRun>("dag-run"),
        entry::<crate::DagState>("dag-state"),
        entry::<crate::Difference>("difference"),
        entry::<crate::Drill>("drill"),
        entry::<crate::DrillPlan>("drill-plan"),
        entry::<crate::DrillRequest>("drill-request"),
        entry::<crate::DrillRun>("drill-run"),
        entry::<crate::EtcdBackup>("etcd-backup"),
        entry::<crate::EtcdMember>("etcd-member"),
        entry::<crate::WantedFile>("file"),
        entry::<crate::Finding>("finding"),
        entry::<crate::HostEntry>("host"),
        entry::<crate::Lag>("lag"),
        entry::<crate::LakeFile>("lake-file"),
        entry::<crate::LbServer>("lb-server"),
        entry::<crate::LbWorker>("lb-worker"),
        entry::<crate::Load>("load"),
        entry::<crate::LoadPlan>("load-plan"),
        entry::<crate::Message>("message"),
        entry::<crate::Metric>("metric"),
        entry::<crate::NetworkSize>("network-size"),
        entry::<crate::NextStep>("next-step"),
        entry::<crate::Prediction>("prediction"),
        entry::<crate::Reject>("reject"),
        entry::<crate::RowChange>("row_change"),
        entry::<crate::SshResult>("ssh-result"),
        entry::<crate::Step>("step"),
        entry::<crate::Vip>("vip"),
        entry::<crate::VipCheck>("vip-check"),
        entry::<crate::VrrpEvent>("vrrp-event"),
        entry::<crate::VrrpStates>("vrrp-states"),
    ]
}
