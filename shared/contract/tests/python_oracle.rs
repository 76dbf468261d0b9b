//! Canonical JSON against the only authority on it: Python's own json module.
//!
//! One Python process reads a document a line, writes the canonical bytes of each, and what it writes is compared.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test panics")]

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use p1_contract::canonical::{MAX_INTEGER, to_canonical};
use serde_json::{Map, Value, json};

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
    let mut source = Source(0x9e37_79b9_7f4a_7c15);
    documents.extend((0..GENERATED).map(|_| source.value(4)));
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

/// Random documents from a fixed seed (xorshift64*): the same ones on every machine.
struct Source(u64);

impl Source {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn value(&mut self, depth: u32) -> Value {
        let kinds = if depth == 0 { 5 } else { 9 };
        match self.below(kinds) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::from(self.integer()),
            3 | 4 => Value::String(self.text()),
            5 | 6 => (0..self.below(6)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let entries = (0..self.below(8)).map(|_| (self.text(), self.value(depth - 1)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn integer(&mut self) -> i64 {
        let magnitude = i64::try_from(self.next() >> 11).unwrap() >> self.below(53);
        if self.below(2) == 0 { magnitude } else { -magnitude }
    }

    fn text(&mut self) -> String {
        (0..self.below(10)).map(|_| self.char()).collect()
    }

    fn char(&mut self) -> char {
        let (first, count) = match self.below(8) {
            0 => (0, 0x20),
            1 => (0x7f, 0x22),
            2 => (0xa1, 0x700),
            3 => (0x2000, 0x70),
            4 => (0xe000, 0x2000),
            5 => (0x1_0000, 0x10_0000),
            _ => (0x20, 0x5f),
        };
        let code = first + self.below(count);
        char::from_u32(u32::try_from(code).unwrap()).unwrap_or('\u{fffd}')
    }
}
