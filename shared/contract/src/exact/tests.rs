//! Tests of exact values.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::strict::Limits;

fn exact(text: &str) -> Exact {
    Exact::parse(text.as_bytes(), Limits::DOCUMENT).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    Exact::parse(text.as_bytes(), Limits::DOCUMENT).unwrap_err().to_string()
}

#[test]
fn numbers_stay_what_was_written() {
    assert_eq!(exact("[1.0, 1e3, -0]").to_string(), "[1,1000,0]");
    assert_eq!(
        exact("12345678901234567890.12345678901234567890").to_string(),
        "12345678901234567890.1234567890123456789"
    );
    assert_eq!(exact("1e999").to_string(), "1e999");
    let text = r#"{"a":[null,true,"é\n",{}],"b":-0.5}"#;
    assert_eq!(exact(&format!(" \u{20}{text}\r\n")).to_string(), text);
    assert_eq!(exact("\u{feff}{}").to_string(), "{}");
}

#[test]
fn what_two_readers_could_read_differently_is_refused_with_its_place() {
    for (text, what) in [
        (
            "{\"a\":1,\n \"b\":{\"x\":1,\"x\":2}}",
            "the key `x` is there twice at line 2 column 6",
        ),
        ("[1,\n  \"\\ud800\"]", "at line 2 column 3"),
        ("{\"\\udc00\":1}", "surrogate"),
        ("[1,]", "expected value at line 1 column 4"),
        ("{} {}", "trailing characters"),
        ("", "EOF"),
        ("01", "invalid number"),
        ("[1e99999999999999]", "out of range at line 1 column 2"),
        ("NaN", "expected value"),
        ("\"a\tb\"", "control character"),
    ] {
        let message = refused(text);
        assert!(message.contains(what), "{text}: {message}");
    }
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(exact(&nested(32)).to_string(), nested(32));
    assert!(refused(&nested(33)).contains("more than 32 levels deep"));
    assert!(refused(&nested(500_000)).contains("more than 32 levels deep"));
}

/// Each pair, and whether it says the same.
#[test]
fn values_are_compared_as_values() {
    for (registry, output, agree) in [
        // Numbers by what they are worth.
        ("1", "1.0", true),
        ("1000", "1e3", true),
        ("0.25", "25e-2", true),
        ("1", "2", false),
        ("0.1", "0.1000000000000000055", false),
        ("9007199254740993", "9007199254740992", false),
        // Numbers and flags against texts.
        ("300", "\"300\"", true),
        ("\"300\"", "300", true),
        ("1", "\"1.0\"", true),
        ("\"12345678901234567890\"", "12345678901234567890", true),
        ("12345678901", "\"012345678901\"", false),
        ("300", "\" 300\"", false),
        ("300", "\"300 \"", false),
        ("true", "\"true\"", true),
        ("true", "\"True\"", false),
        ("1", "true", false),
        ("0", "false", false),
        ("\"\"", "0", false),
        // Texts letter by letter.
        ("\"1.0\"", "\"1\"", false),
        ("\"eu-west-2\"", "\"EU-WEST-2\"", false),
        ("\"a\"", "\"a \"", false),
        ("\"null\"", "null", false),
        // Lists in their order, part by part.
        ("[\"80\",\"443\"]", "[80,443]", true),
        ("[80,443]", "[80.0,4.43e2]", true),
        ("[80,443]", "[443,80]", false),
        ("[80]", "[80,80]", false),
        ("[]", "{}", false),
        ("[]", "null", false),
        ("[null]", "[null]", true),
        ("80", "[80]", false),
        // Objects by key; a member that is null is not set.
        ("{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}", true),
        ("{\"a\":{\"b\":[1]}}", "{\"a\":{\"b\":[\"1\"]}}", true),
        ("{\"a\":1}", "{\"a\":1,\"b\":2}", false),
        ("{\"a\":1,\"b\":2}", "{\"a\":1}", false),
        ("{\"a\":1}", "{\"a\":1,\"b\":null}", true),
        ("{\"a\":1}", "{\"a\":null}", true),
        ("{\"a\":1}", "{\"A\":1}", false),
        // Texts of `jsonencode`.
        ("[\"a\",\"b\"]", r#""[\"a\",\"b\"]""#, true),
        ("[\"a\",\"b\"]", r#""[\"b\",\"a\"]""#, false),
        ("{\"a\":1}", r#""{\"a\":1.0}""#, true),
        ("[\"a\"]", "\"a\"", false),
        ("\"a,b\"", "[\"a\",\"b\"]", false),
    ] {
        assert_eq!(
            exact(registry).agrees_with(&exact(output)),
            agree,
            "{registry} {output}"
        );
    }
}

#[test]
fn sets_have_no_order() {
    let set = |text: &str| match exact(text) {
        Exact::List(items) => Exact::Set(items),
        other => panic!("{other}"),
    };
    for (registry, output, agree) in [
        ("[\"a\",\"b\"]", "[\"b\",\"a\"]", true),
        ("[443,80,\"9\"]", "[\"80\",9,\"443\"]", true),
        ("[\"a\",\"a\"]", "[\"a\",\"b\"]", false),
        ("[\"a\"]", "[\"a\",\"a\"]", false),
        ("[{\"x\":1},{\"x\":2}]", "[{\"x\":2,\"y\":null},{\"x\":\"1\"}]", true),
        ("[\"1.0\",\"1\"]", "[\"1\",\"1.0\"]", true),
        ("[\"1.0\",\"2\"]", "[\"1\",\"2\"]", false),
    ] {
        assert_eq!(exact(registry).agrees_with(&set(output)), agree, "{registry} {output}");
    }
    // Linear times a logarithm: a square of this would not end.
    let many: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
    let turned: Vec<String> = many.iter().rev().cloned().collect();
    assert!(exact(&format!("[{}]", many.join(","))).agrees_with(&set(&format!("[{}]", turned.join(",")))));
}

#[test]
fn evidence_holds_a_value_without_floats() {
    let value = Exact::Map(BTreeMap::from([
        ("a/b".to_owned(), exact("[1.0, 0.25, 12345678901234567890]")),
        ("s".to_owned(), Exact::Set(vec![exact("\"0.25\""), exact("1e400")])),
        ("n".to_owned(), Exact::Null),
    ]));
    let written = value.written();
    assert_eq!(
        written.value,
        json!({"a/b": [1, "0.25", "12345678901234567890"], "s": ["0.25", "1e400"], "n": null})
    );
    assert_eq!(written.numbers, ["/a~1b/1", "/a~1b/2", "/s/1"]);
    assert_eq!(written.sets, ["/s"]);
    assert_eq!(
        Exact::of_written(&written.value, &written.numbers, &written.sets),
        value
    );
    assert!(crate::canonical::to_canonical(&written.value).is_ok());
}

#[test]
fn what_a_message_shows_is_cut() {
    let shown = Exact::Text("x\u{1b}".repeat(1000)).shown();
    assert!(shown.chars().count() <= 201 && !shown.contains('\u{1b}'), "{shown}");
}

fn any_exact() -> impl Strategy<Value = Exact> {
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?(e-?[0-9]{1,2})?";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Exact::Flag),
        number.prop_map(|text| Exact::Number(Decimal::parse(&text).unwrap())),
        number.prop_map(Exact::Text),
        any::<String>().prop_map(Exact::Text),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Exact::List),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Exact::Set),
            prop::collection::btree_map("[a-z~/]{0,3}", inner, 0..4).prop_map(Exact::Map),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_agrees_with_itself_and_survives_evidence(value in any_exact()) {
        prop_assert!(value.agrees_with(&value));
        let written = value.written();
        prop_assert_eq!(&Exact::of_written(&written.value, &written.numbers, &written.sets), &value);
    }

    #[test]
    fn agreement_has_no_direction(one in any_exact(), two in any_exact()) {
        prop_assert_eq!(one.agrees_with(&two), two.agrees_with(&one));
        // A text is the JSON of a value that agrees, unless the value is a text itself.
        if !matches!(one, Exact::Text(_)) {
            prop_assert!(Exact::Text(one.to_string()).agrees_with(&one) || has_set(&one));
        }
    }

    #[test]
    fn reads_what_serde_reads(bytes in prop::collection::vec(any::<u8>(), 0..64), marks in "[{}\\[\\],:\"\\\\u0-9eE. a-]{0,40}") {
        for bytes in [&bytes[..], marks.as_bytes()] {
            let ours = Exact::parse(bytes, Limits::DOCUMENT);
            let theirs = crate::strict::parse_foreign(bytes, Limits::DOCUMENT);
            // A number beyond a float is the one thing that only one of them reads.
            if theirs.is_ok() {
                prop_assert!(ours.is_ok(), "{:?}", ours);
            }
            if ours.is_ok() && theirs.is_err() {
                prop_assert!(theirs.unwrap_err().to_string().contains("out of range"));
            }
        }
    }
}

fn has_set(value: &Exact) -> bool {
    match value {
        Exact::Set(_) => true,
        Exact::List(items) => items.iter().any(has_set),
        Exact::Map(map) => map.values().any(has_set),
        _ => false,
    }
}
