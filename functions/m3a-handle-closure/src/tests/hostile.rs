//! JSON that nobody meant to write, for the property tests of the two foreign documents.

use proptest::prelude::*;
use serde_json::{Number, Value};

/// Names with everything that has no place in one.
pub(crate) fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-Z][A-Z0-9_]{0,8}",
        Just("\n\u{1b}[31m`".to_owned()),
        (500_usize..5_000).prop_map(|n| "x".repeat(n)),
    ]
}

/// Any JSON value.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| Number::from_f64(n).map_or(Value::Null, Value::Number)),
        any_name().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any_name(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
