//! Who asks.

use std::fmt;

/// Who asks.
#[derive(Clone)]
pub struct Credentials {
    /// The key's name.
    pub key_id: String,
    /// The key.
    pub secret: String,
    /// The session it belongs to, if it is a temporary one.
    pub session: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Those of a profile, in the form of `~/.aws/credentials`; `None` if key or secret are missing.
    pub fn parse(text: &str, profile: &str) -> Option<Self> {
        let (mut key_id, mut secret, mut session) = (None, None, None);
        let mut ours = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                ours = name.trim() == profile;
            } else if let Some((name, value)) = line.split_once('=').filter(|_| ours) {
                let value = Some(value.trim().to_owned());
                match name.trim() {
                    "aws_access_key_id" => key_id = value,
                    "aws_secret_access_key" => secret = value,
                    "aws_session_token" => session = value,
                    _ => {}
                }
            }
        }
        Some(Self { key_id: key_id?, secret: secret?, session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_profile_are_found_among_others() {
        let text = "[other]\naws_access_key_id = no\naws_secret_access_key = no\n# a note\n[default]\n\
                    aws_access_key_id=A\naws_secret_access_key = b=c/d+\nregion = x\n[third]\n";
        let found = Credentials::parse(text, "default").unwrap();
        assert_eq!((&*found.key_id, &*found.secret, found.session), ("A", "b=c/d+", None));
        assert!(Credentials::parse(text, "third").is_none());
    }
}
