//! What went wrong, and whether another try could help.

use model::{Fault, Kind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the brokers did not do as they were asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answers.
    #[error("{0}")]
    Network(String),
    /// They do not know us, or we may not.
    #[error("{0}")]
    Auth(String),
    /// There is no such topic or partition.
    #[error("there is no topic {0}")]
    NoSuchTopic(String),
    /// A topic of that name is there already.
    #[error("topic {0} is there already")]
    TopicExists(String),
    /// There is no such group.
    #[error("there is no group {0}")]
    NoSuchGroup(String),
    /// Another writer with the same transactional id has taken over.
    #[error("another one with this transactional id has taken over")]
    Fenced,
    /// The partitions went to another member of the group in the middle of a transaction.
    #[error("the group has given the partitions to another member")]
    Rebalanced,
    /// The transaction cannot be ended: the client waits for a coordinator that is no broker
    /// any more. A new writer with the same id breaks it off.
    #[error("the group's coordinator was not found")]
    Stuck,
    /// A message is longer than the brokers take.
    #[error("{0}")]
    TooLarge(String),
    /// Too few replicas, or no leader for now.
    #[error("{0}")]
    NoLeader(String),
    /// They ask for less.
    #[error("{0}")]
    Throttled(String),
    /// The deadline came first.
    #[error("no answer in time")]
    Timeout,
    /// What was asked for can not be done.
    #[error("{0}")]
    Invalid(String),
    /// Anything else that may pass.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// The lower-case word closing lines and records carry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Network(_) | Self::Timeout | Self::Stuck => "network",
            Self::Auth(_) => "auth",
            Self::NoSuchTopic(_) => "no_such_topic",
            Self::TopicExists(_) => "topic_exists",
            Self::NoSuchGroup(_) => "no_such_group",
            Self::Fenced => "fenced",
            Self::Rebalanced => "rebalanced",
            Self::TooLarge(_) => "too_large",
            Self::NoLeader(_) => "no_leader",
            Self::Throttled(_) => "throttled",
            Self::Invalid(_) => "invalid",
            Self::Other(_) => "failed",
        }
    }

    /// What a code says of a topic or group of that name.
    pub(crate) fn of_code(code: Code, name: &str) -> Self {
        let text = || words(code);
        match code {
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicId => Self::NoSuchTopic(name.to_owned()),
            Code::TopicAlreadyExists => Self::TopicExists(name.to_owned()),
            Code::GroupIdNotFound | Code::UnknownGroup => Self::NoSuchGroup(name.to_owned()),
            Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::TransactionCoordinatorFenced
            | Code::FencedInstanceId => Self::Fenced,
            Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::AssignmentLost
            | Code::StaleMemberEpoch
            | Code::FencedMemberEpoch => Self::Rebalanced,
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
                Self::TooLarge(text())
            }
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::SSL
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Self::Auth(text()),
            // The broker that was asked is none any more: another one leads, or will.
            Code::DestroyBroker
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::ReplicaNotAvailable
            | Code::ISRInsufficient
            | Code::NotController
            | Code::PreferredLeaderNotAvailable
            | Code::EligibleLeadersNotAvailable => Self::NoLeader(text()),
            Code::ThrottlingQuotaExceeded => Self::Throttled(text()),
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::CoordinatorNotAvailable
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator => Self::Network(text()),
            Code::OperationTimedOut | Code::RequestTimedOut | Code::MessageTimedOut | Code::TimedOutQueue => {
                Self::Timeout
            }
            Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidReplicaAssignment
            | Code::InvalidConfig
            | Code::InvalidRequest
            | Code::InvalidArgument
            | Code::InvalidGroupId
            | Code::InvalidTransactionTimeout
            | Code::InvalidTimestamp
            | Code::OffsetMetadataTooLarge
            | Code::OffsetOutOfRange
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::NonEmptyGroup
            | Code::InvalidRecord
            | Code::TopicDeletionDisabled
            | Code::FencedLeaderEpoch => Self::Invalid(text()),
            _ => Self::Other(text()),
        }
    }

    /// The same for what the wrapper says.
    pub(crate) fn of(error: &KafkaError, name: &str) -> Self {
        match error {
            KafkaError::ClientConfig(_, why, setting, _) => {
                Self::Invalid(format!("setting {setting}: {why}"))
            }
            KafkaError::ClientCreation(why) | KafkaError::AdminOpCreation(why) => Self::Invalid(why.clone()),
            KafkaError::AdminOp(code) => Self::of_code(*code, name),
            KafkaError::Nul(_) => Self::Invalid(format!("`{}` has a zero byte", name.escape_default())),
            KafkaError::Transaction(error) => {
                let said = Self::of_code(error.code(), name);
                match said {
                    Self::Other(_) => Self::Other(error.string()),
                    said => said,
                }
            }
            _ => match error.rdkafka_error_code() {
                Some(code) => Self::of_code(code, name),
                None => Self::Other(error.to_string()),
            },
        }
    }
}

/// What the code means, as librdkafka puts it.
fn words(code: Code) -> String {
    let text = code.to_string();
    // "BrokerTransportFailure (Local: Broker transport failure)": the part in parentheses.
    let inner = text.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(&text);
    let plain = inner.strip_prefix("Local: ").or_else(|| inner.strip_prefix("Broker: ")).unwrap_or(inner);
    let mut chars = plain.chars();
    chars.next().map(|first| first.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

impl Fault for Error {
    /// Brokers come back and leaders are found; a name, a right or a limit stays what it is.
    fn kind(&self) -> Kind {
        match self {
            Self::Network(_)
            | Self::NoLeader(_)
            | Self::Throttled(_)
            | Self::Timeout
            | Self::Rebalanced
            | Self::Stuck
            | Self::Other(_) => Kind::Unavailable,
            Self::Auth(_)
            | Self::NoSuchTopic(_)
            | Self::TopicExists(_)
            | Self::NoSuchGroup(_)
            | Self::Fenced
            | Self::TooLarge(_)
            | Self::Invalid(_) => Kind::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_broker_is_worth_another_try_and_a_missing_topic_is_not() {
        let dead = Error::of_code(Code::BrokerTransportFailure, "V");
        assert_eq!((dead.kind(), dead.word()), (Kind::Unavailable, "network"));
        assert_eq!(dead.to_string(), "broker transport failure");
        let gone = Error::of_code(Code::DestroyBroker, "V");
        assert_eq!((gone.kind(), gone.word()), (Kind::Unavailable, "no_leader"));
        let missing = Error::of_code(Code::UnknownTopicOrPartition, "V");
        assert_eq!((missing.kind(), missing.to_string().as_str()), (Kind::Invalid, "there is no topic V"));
    }

    #[test]
    fn every_way_of_being_replaced_is_fenced() {
        for code in [Code::Fenced, Code::ProducerFenced, Code::InvalidProducerEpoch] {
            assert_eq!(Error::of_code(code, ""), Error::Fenced);
        }
    }
}
