//! Maps with keys that have a text form, for the model file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes the keys as text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<K: Display, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, value)| (key.to_string(), value)))
}

/// Reads them back.
///
/// # Errors
/// A key that is not in its form; those of the deserializer.
pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: FromStr + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let texts = BTreeMap::<String, V>::deserialize(deserializer)?;
    texts
        .into_iter()
        .map(|(text, value)| {
            let key = text.parse().map_err(|_| D::Error::custom(format!("unexpected key {text:?}")))?;
            Ok((key, value))
        })
        .collect()
}

/// The same for maps without an order: written in the order of the keys.
pub mod hashed {
    use super::super::window::Map;
    use super::{BTreeMap, Deserialize, Deserializer, Display, FromStr, Hash, Serialize, Serializer};

    pub fn serialize<K: Display + Ord, V: Serialize, S: Serializer>(map: &Map<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
        let sorted: BTreeMap<&K, &V> = map.iter().collect();
        super::serialize(&sorted, serializer)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<Map<K, V>, D::Error>
    where
        K: FromStr + Ord + Hash,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(super::deserialize::<K, V, D>(deserializer)?.into_iter().collect())
    }
}
