//! Reading more strictly than serde does, and more kindly: only an object is an object, and `null` is nothing.

use serde::{Deserialize, Deserializer};

/// Reads types that derive serde's traits with `remote = "Self"` from objects only. Serde alone would take a list of
/// the fields as well: `[0, 0]` for a user.
macro_rules! only_objects {
    ($($kind:ident),*) => {$(
        impl<'text> serde::Deserialize<'text> for $kind {
            fn deserialize<D: serde::Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'text> serde::de::Visitor<'text> for Fields {
                    type Value = $kind;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'text>>(self, fields: A) -> Result<$kind, A::Error> {
                        // What serde derived is an associated function, which goes before the trait's.
                        $kind::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
                    }
                }

                deserializer.deserialize_map(Fields)
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $kind::serialize(self, serializer)
            }
        }
    )*};
}

pub(super) use only_objects;

/// Reads `null` as what is there when the property is missing.
pub(super) fn or_nothing<'text, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'text> + Default,
    D: Deserializer<'text>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
