//! Canonical JSON against the only authority on it: Python's own json module.
//!
//! One Python process reads a document a line, writes the canonical bytes of each, and what it writes is compared.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test panics")]

use std::borrow::Cow;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use p1_contract::canonical::{MAX_INTEGER, to_canonical};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const GENERATED: usize = 12_000;

const ORACLE: &str = r#"
import json, sys
for line in sys.stdin.buffer:
    text = json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    sys.stdout.buffer.write(text.encode("ascii") + b"\n")
"#;

#[test]
fn writes_the_bytes_that_python_writes() {
    let mut documents = chosen();
    // The same ones on every machine.
    let (strategy, mut runner) = (any_document(), TestRunner::deterministic());
    documents.extend((0..GENERATED).map(|_| strategy.new_tree(&mut runner).unwrap().current()));
    // serde_json writes what is not ASCII as it is, so that Python has to escape it by itself.
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();

    let expected = python(lines.into_bytes());
    let expected: Vec<&[u8]> = expected.split(|byte| *byte == b'\n').collect();
    assert_eq!(
        expected.len(),
        documents.len() + 1,
        "Python answered another number of documents"
    );
    for (document, expected) in documents.iter().zip(expected) {
        let ours = to_canonical(document).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&ours),
            String::from_utf8_lossy(expected),
            "{document}"
        );
    }
}

fn python(input: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new("python3")
        .args(["-I", "-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is a prerequisite of this workspace");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    writer.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    output
}

fn chosen() -> Vec<Value> {
    let every_ascii: String = (0..=0x7f_u8).map(char::from).collect();
    let every_edge: String = "\u{80}\u{9f}\u{a0}\u{ad}\u{7ff}\u{800}\u{2028}\u{2029}\u{d7ff}\u{e000}\u{fdd0}\u{feff}\u{fffe}\u{ffff}\u{10000}\u{1f600}\u{10ffff}".into();
    vec![
        json!(every_ascii),
        json!({ every_ascii: every_edge }),
        json!("\u{7f}"),
        json!("\u{2028}\u{2029}"),
        json!("\u{1f600}\u{10000}\u{10ffff}"),
        json!("e\u{301} \u{e9}"),
        json!({"": "", "a": "", "A": ""}),
        json!({"": {"": {"": [{}, []]}}}),
        // By code point the astral key is last; by UTF-16 unit it would stand before the others.
        json!({"\u{10000}": 1, "\u{ff61}": 2, "\u{e000}": 3, "\u{d7ff}": 4, "z": 5}),
        json!({"a": 1, "a\u{0}": 2, "a ": 3, "aa": 4, "b": 5, "\u{7f}": 6, "\u{80}": 7}),
        json!({"1": 1, "10": 2, "2": 3, "-": 4, "_": 5, "/": 6, "\\": 7, "\"": 8}),
        json!([MAX_INTEGER, -MAX_INTEGER, 0, -1, 1]),
        json!([null, true, false, [[[[[]]]]], {}]),
        json!("</script> & '\""),
    ]
}

/// Any document, with texts from every part of Unicode.
fn any_document() -> impl Strategy<Value = Value> {
    let char = prop::char::ranges(Cow::Borrowed(&[
        '\0'..='\u{1f}',
        ' '..='~',
        ' '..='~',
        '\u{7f}'..='\u{a0}',
        '\u{a1}'..='\u{7ff}',
        '\u{2000}'..='\u{206f}',
        '\u{e000}'..='\u{ffff}',
        '\u{10000}'..='\u{10ffff}',
    ]));
    let text = prop::collection::vec(char, 0..10).prop_map(String::from_iter);
    // Of every length: most numbers of a range have the most digits.
    let integer = (-MAX_INTEGER..=MAX_INTEGER, 0..53).prop_map(|(number, shift)| number >> shift);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        integer.prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}
