//! Evidence that somebody rewrote consistently: one value of one document is another, and every hash that names the document fits again,
//! up to the ledger and `objects.json`. The run is unsigned, so that only what the evidence means can tell.
//!
//! Both verifiers answer alike, and what passes both is on the list of what only a signature protects (docs/signature.md).

use std::collections::BTreeMap;
use std::fs;

use fastrand::Rng;
use m3j_phase_verdict::Signer;
use p1_tests::directories::replay;
use p1_tests::runs::{Mirrored, advanced, held, resumed};
use serde_json::{Map, Value, json};

use crate::damage::Files;
use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;
use crate::{START, both, put};

/// The rewrites of each kind of run.
const REWRITES: usize = 1_020;

/// What is free by design: no document, no rule and no computation says what it must be. By artifact (`*` is any) and by the end of the
/// place, in which numbers stand for items of lists.
const FREE: &[(&str, &str)] = &[];

/// The places of all values of a document, as JSON pointers.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    if !at.is_empty() {
        all.push(at.to_owned());
    }
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{n}"), all);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{name}"), all);
            }
        }
        _ => {}
    }
}

/// Another value of the same type: a flag is the other one, a number is near, one character of a text is another of its class.
fn other(value: &Value, rng: &mut Rng) -> Value {
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_i64().unwrap() + if rng.bool() { 1 } else { -1 }),
        Value::String(text) if text.is_empty() => json!("x"),
        Value::String(text) => {
            let chars: Vec<char> = text.chars().collect();
            let at = rng.usize(..chars.len());
            let drawn = |class: &str, rng: &mut Rng| {
                let rest: Vec<char> = class.chars().filter(|c| *c != chars[at]).collect();
                rest[rng.usize(..rest.len())]
            };
            let replacement = match chars[at] {
                '0'..='9' => drawn("0123456789", rng),
                'a'..='f' => drawn("abcdef", rng),
                c if c.is_ascii_lowercase() => drawn("ghijklmnopqrstuvwxyz", rng),
                c if c.is_ascii_uppercase() => drawn("ABCDEFGHIJKLMNOPQRSTUVWXYZ", rng),
                _ => drawn("-_./: ", rng),
            };
            let mut changed = chars.clone();
            changed[at] = replacement;
            json!(changed.into_iter().collect::<String>())
        }
        Value::Null => json!("x"),
        Value::Array(items) => json!(items.iter().skip(1).collect::<Vec<_>>()),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert("x".to_owned(), json!(1));
            Value::Object(fields)
        }
    }
}

/// A value of another type.
fn of_another_type(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(7),
        Value::Number(number) => json!(number.to_string()),
        Value::Bool(flag) => json!(flag.to_string()),
        Value::Null | Value::Array(_) => json!({}),
        Value::Object(_) => json!([]),
    }
}

/// Makes one change at `place`. Gives its name.
fn rewrite(document: &mut Value, place: &str, rng: &mut Rng) -> &'static str {
    let (parent, last) = place.rsplit_once('/').unwrap();
    let last = last.replace("~1", "/").replace("~0", "~");
    let parent = document.pointer_mut(parent).unwrap();
    let kind = rng.usize(..10);
    match parent {
        Value::Object(fields) if kind == 0 => {
            fields.remove(&last);
            "without"
        }
        Value::Object(fields) if kind == 1 => {
            add(fields, rng);
            "with a field beside"
        }
        Value::Array(items) if kind == 0 => {
            items.remove(last.parse().unwrap());
            "without"
        }
        _ => {
            let value = match parent {
                Value::Object(fields) => &mut fields[&last],
                Value::Array(items) => &mut items[last.parse::<usize>().unwrap()],
                _ => unreachable!("only lists and objects have places in them"),
            };
            if kind == 2 {
                *value = of_another_type(value);
                "of another type"
            } else {
                *value = other(value, rng);
                "another"
            }
        }
    }
}

fn add(fields: &mut Map<String, Value>, rng: &mut Rng) {
    fields.insert(format!("x{}", rng.u8(..)), json!("y"));
}

/// What a place is called on the list: items of lists have no number, and keys that evidence draws have no name.
fn shown(place: &str) -> String {
    let part = |part: &str| {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            "*".to_owned()
        } else {
            part.to_owned()
        }
    };
    place.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn is_free(artifact: &str, place: &str) -> bool {
    let place = shown(place);
    FREE.iter()
        .any(|(name, end)| (*name == "*" || *name == artifact) && place.ends_with(end))
}

async fn rewritten(name: &str, run: &Mirrored, intact: u8) {
    let dir = run.write(&format!("rewritten-{name}"));
    let second = &mut SecondVerifier::start();
    assert_eq!(both(second, &dir).0, intact);
    let mut documents: Vec<(&String, Value, Vec<String>)> = Vec::new();
    for (key, bytes) in &run.files {
        let is_ours = key.starts_with("evidence/") && key.ends_with(".json") && !key.contains("/m2j_");
        if !is_ours {
            continue;
        }
        let document: Value = serde_json::from_slice(bytes).unwrap();
        let mut all = Vec::new();
        places(&document, "", &mut all);
        documents.push((key, document, all));
    }
    let mut rng = Rng::with_seed(name.len() as u64);
    let (mut ours, mut theirs) = (0, 0);
    let (mut disagreements, mut passed, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REWRITES {
        let (key, document, places) = &documents[rng.usize(..documents.len())];
        let place = &places[rng.usize(..places.len())];
        let change = rng.clone();
        rng.u64(..);
        let mut how = "";
        let files: Files = forged(&run.files, key, |document| {
            how = rewrite(document, place, &mut change.clone());
        });
        let changed: BTreeMap<&String, &Vec<u8>> =
            files.iter().filter(|(key, bytes)| run.files[*key] != **bytes).collect();
        for (path, bytes) in &changed {
            put(&dir, path, Some(bytes));
        }
        let (status, _, answer) = both(second, &dir);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let artifact = document["artifact"].as_str().unwrap_or_default();
        let what = format!("{artifact} {how} {place}");
        ours += usize::from(status >= 2);
        theirs += usize::from(answer["exit_status"].as_u64() >= Some(2));
        if answer["exit_status"] != json!(status) {
            disagreements.push(format!("{what}: {status}, {}", answer));
        } else if status < 2 {
            let report = replay(&dir).await;
            if report.standing == p1_replay::Standing::Equal {
                unseen.push((what.clone(), is_free(artifact, place)));
            }
            passed.push(what);
        }
        for path in changed.keys() {
            put(&dir, path, Some(&run.files[*path]));
        }
    }
    println!(
        "rewritten consistently, {name} run: {REWRITES} rewrites / {ours} caught by verify / {theirs} by verify.py / {} disagreements / \
         {} passed, of which replay sees {}",
        disagreements.len(),
        passed.len(),
        passed.len() - unseen.len()
    );
    for what in &passed {
        println!("passed: {what}");
    }
    let unlisted: Vec<&String> = unseen
        .iter()
        .filter(|(_, is_free)| !is_free)
        .map(|(what, _)| what)
        .collect();
    assert!(disagreements.is_empty(), "{name}: {}", disagreements.join("\n"));
    assert!(unlisted.is_empty(), "{name}: passes unseen: {unlisted:#?}");
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_rewritten_advance_is_judged_alike() {
    rewritten("advanced", &advanced(START, Signer::Off).await.whole(), 0).await;
}

#[tokio::test]
async fn a_rewritten_hold_is_judged_alike() {
    rewritten("held", &held(START, Signer::Off).await.whole(), 1).await;
}

#[tokio::test]
async fn a_rewritten_resumed_run_is_judged_alike() {
    rewritten("resumed", &resumed(START, Signer::Off).await.whole(), 0).await;
}
