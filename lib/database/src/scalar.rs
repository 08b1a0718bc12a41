//! The value of a column rows are ordered by.

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// A value of a column rows are ordered by: where reading goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text, or what only the database can read.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Whole numbers and text as they are; `{"real":"0.1"}` and `{"b64":"…"}`.
impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Real(number) => json!({"real": format!("{number:?}")}).serialize(serializer),
            Self::Bytes(bytes) => json!({"b64": BASE64.encode(bytes)}).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let inner = |key: &str| value.get(key).and_then(Value::as_str);
        let read = match &value {
            Value::Number(number) => number.as_i64().map(Self::Int),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => inner("real").and_then(|text| text.parse().ok().map(Self::Real)).or_else(|| {
                inner("b64").and_then(|text| BASE64.decode(text.as_bytes()).ok().map(Self::Bytes))
            }),
        };
        read.ok_or_else(|| serde::de::Error::custom(format!("`{value}` is no position")))
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&text.chars().take(64).collect::<String>()),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_as_it_was() {
        for scalar in [
            Scalar::Int(i64::MIN),
            Scalar::Real(0.1 + 0.2),
            Scalar::Real(f64::INFINITY),
            Scalar::Text("real".into()),
            Scalar::Bytes(vec![0, 255]),
        ] {
            let text = serde_json::to_string(&scalar).unwrap();
            assert_eq!(serde_json::from_str::<Scalar>(&text).unwrap(), scalar, "{text}");
        }
        assert!(serde_json::from_str::<Scalar>("null").is_err());
        assert!(serde_json::from_str::<Scalar>("{\"b64\":\"?\"}").is_err());
    }
}
