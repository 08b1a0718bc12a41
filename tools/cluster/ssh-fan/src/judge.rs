//! What ssh's own words mean.

use model::SshError;
use process::Kept;

/// What went wrong before or instead of the command, by ssh's log.
///
/// ssh gives 255 for its own failures, and passes on a command's 255: only
/// its log tells which it was (`None`: the command's).
pub(crate) fn failure(log: &str) -> Option<SshError> {
    let has = |words: &[&str]| words.iter().any(|word| log.contains(word));
    // The order matters: the cause comes before what follows from it.
    Some(if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION", "host key is known for"]) {
        SshError::HostKey
    } else if has(&["Permission denied (", "Too many authentication failures", "no such identity"]) {
        SshError::Auth
    } else if has(&["Connection refused"]) {
        SshError::Refused
    } else if has(&[
        "Connection timed out during banner exchange",
        "kex_exchange_identification",
        "ssh_exchange_identification",
    ]) {
        SshError::HungUp
    } else if has(&[
        "Connection timed out",
        "No route to host",
        "Network is unreachable",
        "Host is down",
        "Could not resolve hostname",
        "Operation timed out",
    ]) {
        SshError::Unreachable
    } else if has(&[
        "closed by remote host",
        "not responding",
        "Broken pipe",
        "client_loop",
        "mux_client_request_session",
        "Control master terminated",
    ]) {
        SshError::Dropped
    } else if has(&["Connection reset by", "Connection closed by"]) {
        SshError::HungUp
    } else if log.trim().is_empty() {
        return None;
    } else {
        SshError::Ssh
    })
}

/// Whether ssh's last word is that the connection was cut. It says that of a
/// session without a terminal on standard error, not in its log, and ends the
/// line as a terminal in raw mode needs it.
pub(crate) fn was_cut(stderr: &Kept) -> bool {
    let end = b" closed by remote host.\r\n";
    stderr.head.iter().chain(&stderr.tail).rev().take(end.len()).eq(end.iter().rev())
}

/// Whether the command never ran: trying again cannot do it twice.
pub(crate) fn is_before_the_command(error: SshError) -> bool {
    use SshError::{Auth, HostKey, HungUp, Refused, Unreachable};
    matches!(error, Refused | Unreachable | HostKey | Auth | HungUp)
}

/// Whether another try may find it better.
pub(crate) fn may_pass(error: SshError) -> bool {
    matches!(error, SshError::Refused | SshError::Unreachable | SshError::HungUp)
}

/// The way out, where it is known.
pub(crate) fn hint(error: SshError) -> Option<&'static str> {
    Some(match error {
        SshError::HostKey => {
            "compare the key with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on its console), then add it to known_hosts"
        }
        SshError::Auth => "give the key in the platform document (ssh.key) or load it into an agent",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sshs_words_name_the_cause_not_what_followed_from_it() {
        let refused = "ssh: connect to host 10.77.0.21 port 22: Connection refused\n";
        assert_eq!(failure(refused), Some(SshError::Refused));
        let changed =
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n";
        assert_eq!(failure(changed), Some(SshError::HostKey));
        let locked = "root@10.77.0.21: Permission denied (publickey).\n";
        assert_eq!(failure(locked), Some(SshError::Auth));
        let flooded = "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.77.0.21 port 22\n";
        assert_eq!(failure(flooded), Some(SshError::HungUp));
        let silent = "Timeout, server 10.77.0.21 not responding.\n";
        assert_eq!(failure(silent), Some(SshError::Dropped));
        assert_eq!(
            failure("ssh: connect to host h port 22: Connection timed out\n"),
            Some(SshError::Unreachable)
        );
        assert_eq!(failure(""), None);
    }

    #[test]
    fn a_command_that_only_speaks_of_a_cut_was_not_cut() {
        let said = |text: &str| Kept { head: text.into(), ..Kept::default() };
        assert!(was_cut(&said("x\nConnection to cp1 closed by remote host.\r\n")));
        assert!(!was_cut(&said("Connection to cp1 closed by remote host.\n")));
    }
}
