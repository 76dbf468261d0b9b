//! Tests of the registry as a whole.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Registry {
    parse(text.as_bytes()).unwrap()
}

/// What `A` is in a document that also declares another handle.
fn reading(text: &str) -> Reading {
    read(&format!("* `OTHER = 1`\n\n# A heading ends the list\n\n{text}\n")).get("A")
}

fn value(value: impl Into<serde_json::Value>) -> Reading {
    Reading::Resolved(HandleValue::Json(value.into()))
}

fn resolved(text: &str) -> serde_json::Value {
    match reading(text) {
        Reading::Resolved(value) => value.to_json(),
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn places_are_the_bytes_of_every_declaration() {
    let text = "\u{feff}# Title\r\n\r\n* `A = \"é\"` a note `B = 1`\r\n* [ ] `C = 1`\r\n- `A`\r\n\r\n```\r\n* `D = 1`\r\n```\r\n";
    let places = places(text.as_bytes()).unwrap();
    let seen = |place: &Place| (place.line, text[place.span.clone()].to_owned(), place.has_value);
    let seen: Vec<_> = places.iter().map(seen).collect();
    assert_eq!(
        seen,
        [(3, "`A = \"é\"`".to_owned(), true), (5, "`A`".to_owned(), false)]
    );
    assert!(places.iter().all(|place| place.key.as_str() == "A"));
    assert_eq!(read(text).line_of_near_miss("C"), Some(4));
    assert_eq!(read(text).line_of_near_miss("A"), None);
}

#[test]
fn list_items_declare() {
    for text in [
        "* `A = 1`",
        "- `A = 1`",
        "   * `A = 1`",
        "*\t`A = 1`",
        "*   `A = 1`",
        "* `A = 1` a note `A = 2`",
        "* `A = 1`\n  `A = 2`",
        "* x\n  * `A = 1`",
        "1. x\n   - `A = 1`",
        "* x\n\n* `A = 1`\n\n* y",
        "text\n* `A = 1`",
        "* `A\t=\t1`",
        "* `A=1`",
        "* `` A = 1 ``",
        "# h\n* `A = 1`\n# h",
        "* `A =\n  1`",
        "<!-- c -->\n\n* `A = 1`",
        "* `A = 1` <!-- c -->",
        "*\n  `A = 1`",
        "* `A = 1`\\",
    ] {
        assert_eq!(resolved(text), json!(1), "{text:?}");
    }
}

#[test]
fn all_else_declares_nothing() {
    for text in [
        "`A = 1`",
        "text `A = 1`",
        "+ `A = 1`",
        "1. `A = 1`",
        "1) `A = 1`",
        "> * `A = 1`",
        "* > * `A = 1`",
        "* > `A = 1`",
        "```\n* `A = 1`\n```",
        "~~~\n* `A = 1`\n~~~",
        "    * `A = 1`",
        "* x\n\n      `A = 1`",
        "<!--\n* `A = 1`\n-->",
        "<div>\n* `A = 1`\n</div>",
        "* x `A = 1`",
        "* **`A = 1`**",
        "* [`A = 1`](x)",
        "* # `A = 1`",
        "* <!-- c --> `A = 1`",
        "*`A = 1`",
        "* \\`A = 1`",
        "* `a = 1`",
        "* `A B = 1`",
        "* `A = 1",
        "* A = 1",
        "* ![`A = 1`](x)",
        "# `A = 1`",
        "* `/A = 1`",
        "* `= 1`",
        "* ```\n  A = 1\n  ```",
    ] {
        assert_eq!(reading(text), Reading::Missing, "{text:?}");
    }
}

#[test]
fn the_first_span_is_the_value() {
    assert_eq!(resolved("* `A = \"env\"` -> `dev_full`"), json!("env"));
    assert_eq!(resolved("* ``A = \"x = `y`\"``"), json!("x = `y`"));
    assert_eq!(resolved("* `A = \"a\\u00e9 = b\"`"), json!("aé = b"));
}

#[test]
fn keys_without_value_are_unresolved() {
    let reason = "line 6 declares it without a value".to_owned();
    assert_eq!(reading("\n* `A`"), Reading::Unresolved { reason });
    assert!(matches!(reading("* `A = `"), Reading::Unresolved { .. }));
    assert!(matches!(reading("* `A = \"x`"), Reading::Unresolved { reason } if reason.contains("not JSON")));
    assert_eq!(resolved("* `A`\n* `A = 1`\n* `A`"), json!(1));
}

#[test]
fn placeholders() {
    let of = |text: &str| match reading(text) {
        Reading::Placeholder { reason } => reason,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(of("* `A = \"TO_PIN\"`"), "line 5 still holds the placeholder `TO_PIN`");
    let later = of("* `A`\n* `A = TO_PIN` (soon)");
    assert_eq!(later, "line 6 still holds the placeholder `TO_PIN`");
    for text in [
        "\"TO_PIN (after M2.B)\"",
        "TO_PIN (after M2.B)",
        "\"\"",
        "<name>",
        "null",
        "[\"TBD\"]",
        "{\"a\":{\"b\":\"to_pin\"}}",
    ] {
        assert!(of(&format!("* `A = {text}`")).contains("placeholder"), "{text}");
    }
}

#[test]
fn different_values_contradict() {
    let registry = read(
        "* `A = 1`\n* `B = 1`\n* `A = \"1\"`\n* `B = 1`\n* `C = \"TO_PIN\"`\n* `C = \"x\"`\n* `D = \"x`\n* `D = \"x\"`",
    );
    let values = vec!["1".to_owned(), "\"1\"".to_owned()];
    assert_eq!(registry.get("A"), Reading::Contradiction { values });
    let keys: Vec<String> = registry.contradictions().into_iter().map(String::from).collect();
    assert_eq!(keys, ["A", "C", "D"]);

    let many: String = (0..1000)
        .map(|n| format!("* `A = \"{}{n}\"`\n", "x".repeat(200)))
        .collect();
    let Reading::Contradiction { values } = read(&many).get("A") else {
        panic!()
    };
    assert_eq!(values.len(), 8);
    assert!(values.iter().all(|value| value.chars().count() == 81), "{values:?}");
}

#[test]
fn one_handle_is_symbolic() {
    let symbolic = |rest: &str| read(&format!("* `SR_READY_COMMIT_STATE_MACHINE = {rest}")).get(SYMBOLIC_HANDLE);
    assert_eq!(symbolic("\"X\"`\n* `X = \"v\"`"), value("v"));
    assert_eq!(symbolic("X`\n* `X = \"Y\"`\n* `Y = 1`"), value("Y"));
    assert!(matches!(symbolic("X`\n* `X = TO_PIN`"), Reading::Placeholder { .. }));
    let contradicted = symbolic("X`\n* `X = 1`\n* `X = 2`");
    assert!(matches!(contradicted, Reading::Contradiction { .. }));
    for rest in [
        "X`",
        "X`\n* `X`",
        "\"SR_READY_COMMIT_STATE_MACHINE\"`",
        "\"arn:aws:x\"`",
        "1`",
        "[\"X\"]`\n* `X = 1`",
    ] {
        assert!(matches!(symbolic(rest), Reading::Unresolved { .. }), "{rest}");
    }
    let registry = read("* `A = \"SR_READY_COMMIT_STATE_MACHINE\"`\n* `SR_READY_COMMIT_STATE_MACHINE = \"A\"`");
    assert_eq!(registry.get("A"), value(SYMBOLIC_HANDLE));
    assert_eq!(registry.get(SYMBOLIC_HANDLE), value(SYMBOLIC_HANDLE));
}

#[test]
fn line_ends_marks_and_tabs_are_read() {
    let registry = read("\u{feff}* `A = 1`\r\n\r\n*\t`B = \"x\"`\r\n- `C = true`");
    assert_eq!(registry.len(), 3);
    assert_eq!(registry.get("B"), value("x"));
    let lines = ["A", "B", "C", "D"].map(|key| registry.line_of(key));
    assert_eq!(lines, [Some(1), Some(3), Some(4), None]);
    assert!(registry.keys().map(HandleKey::as_str).eq(["A", "B", "C"]));
}

#[test]
fn refuses_what_is_no_registry() {
    assert_eq!(parse(b"* `A = \"\xff\"`"), Err(RegistryError::NotUtf8 { offset: 8 }));
    assert_eq!(parse(b""), Err(RegistryError::NoHandles));
    assert_eq!(parse("# nothing `A = 1`".as_bytes()), Err(RegistryError::NoHandles));
    let bytes = (4 << 20) + 1;
    assert_eq!(parse(&vec![b' '; bytes]), Err(RegistryError::TooLarge { bytes }));
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend("* `A = 1`".encode_utf16().flat_map(u16::to_le_bytes));
    let utf16_be: Vec<u8> = "* `A = 1`".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (bytes, encoding) in [
        (&utf16[..], "UTF-16 (little-endian)"),
        (&utf16[2..], "UTF-16 (little-endian)"),
        (&utf16_be, "UTF-16 (big-endian)"),
    ] {
        assert_eq!(parse(bytes), Err(RegistryError::OtherEncoding { encoding }));
    }
    let message = parse(&utf16).unwrap_err().to_string();
    assert!(message.contains("save it as UTF-8"), "{message}");
}

#[test]
fn deep_nesting_is_refused_and_rules_are_not_nesting() {
    let deep = |text: String| parse(format!("* `A = 1`\n{text}\n").as_bytes());
    for text in [
        ">".repeat(200),
        "* ".repeat(150) + "x",
        "- 1. > ".repeat(60),
        "x\r".to_owned() + &">".repeat(200),
        format!("{}* x", " ".repeat(300)),
        "\t".repeat(70) + "- x",
    ] {
        assert_eq!(deep(text.clone()), Err(RegistryError::TooDeep { line: 2 }), "{text}");
    }
    for text in [
        "* ".repeat(500),
        "-".repeat(500),
        "- ".repeat(500) + "-",
        "-".repeat(500) + " x",
        " ".repeat(900),
        "* ".repeat(50) + "x",
        "9".repeat(500),
    ] {
        assert!(deep(text.clone()).is_ok(), "{text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a stopwatch, and no evidence")]
fn hostile_documents_do_not_hang() {
    let n = 1 << 17;
    let lazy = |opening: &str, line: &str| opening.repeat(60) + "a\n" + &line.repeat(n / line.len());
    let documents = [
        "* ".repeat(n / 2),
        "`".repeat(n),
        "* `".repeat(n / 3),
        "* `\n".repeat(n / 4),
        "[".repeat(n),
        "[a](".repeat(n / 4),
        "*a_".repeat(n / 3),
        "<!--".repeat(n / 4),
        "x<a b=\"".repeat(n / 7),
        "\t".repeat(n),
        "\n".repeat(n),
        ">\n".repeat(n / 2),
        "1. ".repeat(n / 3),
        "* A\n\n".repeat(n / 5),
        lazy("* ", "b\n"),
        lazy("> ", "b\n"),
        lazy("- ", "\n"),
        "* `A = [`\n".repeat(n / 10),
        format!("* `A = {}`\n", "[".repeat(n)),
        (0..n / 16).map(|i| format!("* `A = \"{i}\"`\n")).collect(),
        (1..1400).map(|i| "`".repeat(i) + " ").collect(),
    ];
    for mut document in documents {
        document.insert_str(0, "* `FIRST = 1`\n\n");
        let started = std::time::Instant::now();
        let start: String = document.chars().take(40).collect();
        match parse(document.as_bytes()) {
            Ok(registry) => assert!(registry.line_of("FIRST").is_some(), "{start}"),
            Err(error) => assert!(matches!(error, RegistryError::TooDeep { .. }), "{start}: {error}"),
        }
        let took = started.elapsed();
        assert!(took.as_secs() < 60, "{start}: took {took:?}");
    }
}

/// A value as a registry writes it, and what it is as JSON.
fn written_value() -> impl Strategy<Value = (String, serde_json::Value)> {
    // Backticks end a span, and line breaks inside one become spaces.
    let text =
        "[ -_a-zéß€😀|~]{1,20}".prop_filter("empty or placeholder", |text| !crate::placeholder::is_placeholder(text));
    let json_text = text.prop_map(|text| (serde_json::to_string(&text).unwrap(), json!(text)));
    prop_oneof![
        json_text.clone(),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(|n| (n.to_string(), json!(n))),
        (0_u32..1000, 0_u32..100).prop_map(|(a, b)| (format!("{a}.{b:02}"), json!(format!("{a}.{b:02}")))),
        any::<bool>().prop_map(|flag| (flag.to_string(), json!(flag))),
        "[a-z][a-z0-9/{}._-]{0,20}"
            .prop_filter("a flag or a placeholder", |word| {
                word != "true" && word != "false" && !crate::placeholder::is_placeholder(word)
            })
            .prop_map(|word| (word.clone(), json!(word))),
        prop::collection::vec(json_text.clone(), 0..4).prop_map(|items| {
            let value = json!(items.into_iter().map(|(_, item)| item).collect::<Vec<_>>());
            (value.to_string(), value)
        }),
        prop::collection::btree_map("[a-z]{1,5}", json_text, 0..4).prop_map(|map| {
            let value = json!(
                map.into_iter()
                    .map(|(key, (_, item))| (key, item))
                    .collect::<std::collections::BTreeMap<_, _>>()
            );
            (value.to_string(), value)
        }),
    ]
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>(), marks in "[*`=A \n\t>\"\\[{<!-]{0,80}") {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
        let _ = parse(marks.as_bytes());
        let _ = parse(format!("* `A = {marks}`").as_bytes());
    }

    #[test]
    fn what_is_written_is_read(
        handles in prop::collection::btree_map("[A-Z][A-Z0-9_]{0,12}", (written_value(), "[ -_a-z]{0,20}", any::<bool>(), 0_u8..3), 1..20),
        ends in prop_oneof![Just("\n"), Just("\r\n")],
        has_mark in any::<bool>(),
    ) {
        let mut document = if has_mark { String::from("\u{feff}") } else { String::new() };
        document.push_str("# Handles\n\nSome prose with `NOT_A_HANDLE = 1`.\n\n");
        for (key, ((value, _), note, is_star, blank_lines)) in &handles {
            let bullet = if *is_star { '*' } else { '-' };
            document.push_str(&format!("{bullet} `{key} = {value}` ({note})\n{}", "\n".repeat(usize::from(*blank_lines))));
        }
        let registry = read(&document.replace('\n', ends));
        prop_assert_eq!(registry.len(), handles.len());
        prop_assert!(registry.contradictions().is_empty());
        for (key, ((_, expected), ..)) in handles {
            if key == SYMBOLIC_HANDLE { continue; }
            let reading = registry.get(&key);
            prop_assert_eq!(reading.value().map(HandleValue::to_json), Some(expected), "{} {:?}", key, reading);
        }
    }
}
