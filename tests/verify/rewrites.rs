//! Evidence that somebody rewrote consistently: one value of one document is another, and every hash that names the document fits
//! again, up to the ledger, the engine's history and `objects.json`. Nothing is signed, so only what the evidence means can tell.
//!
//! Both verifiers answer alike. What passes them and the replay stands in the table of docs/signature.md, of what only the
//! signature protects.

use std::collections::BTreeMap;
use std::fs;

use fastrand::Rng;
use m3j_phase_verdict::Signer;
use p1_audit::EvidenceSet;
use p1_contract::attestation::SIDECARS;
use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use p1_tests::directories::exit_code;
use p1_tests::runs::{KEY, Mirrored, advanced, held, refused, resumed, single_state};
use p1_tests::world::signer;
use serde_json::{Map, Value, json};

use crate::damage::{Files, relist};
use crate::second_verifier::SecondVerifier;
use crate::{START, put};

/// The rewrites of each of the three runs with a verdict.
const REWRITES: usize = 1_020;
/// The rewrites of an execution that ends without one. Every second one is of a document of its own.
const FEW: usize = 150;
/// What the keys of the run's second execution have in them.
const SECOND: &str = "_20260225T080000Z_";

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

/// One change of one value.
enum Change {
    Without,
    FieldBeside,
    OfAnotherType,
    /// This value of the same type, which stands elsewhere in the evidence.
    From(Value),
    Another,
}

/// Makes the change at `place`. Gives its name.
fn rewrite(document: &mut Value, place: &str, change: &Change, rng: &mut Rng) -> &'static str {
    let (parent, last) = place.rsplit_once('/').unwrap();
    let last = last.replace("~1", "/").replace("~0", "~");
    let parent = document.pointer_mut(parent).unwrap();
    match (parent, change) {
        (Value::Object(fields), Change::Without) => {
            fields.remove(&last);
            "without"
        }
        (Value::Object(fields), Change::FieldBeside) => {
            add(fields, rng);
            "with a field beside"
        }
        (Value::Array(items), Change::Without) => {
            items.remove(last.parse().unwrap());
            "without"
        }
        (parent, change) => {
            let value = match parent {
                Value::Object(fields) => &mut fields[&last],
                Value::Array(items) => &mut items[last.parse::<usize>().unwrap()],
                _ => unreachable!("only lists and objects have places in them"),
            };
            match change {
                Change::OfAnotherType => {
                    *value = of_another_type(value);
                    "of another type"
                }
                Change::From(elsewhere) => {
                    *value = elsewhere.clone();
                    "the value of another place"
                }
                _ => {
                    *value = other(value, rng);
                    "another"
                }
            }
        }
    }
}

fn add(fields: &mut Map<String, Value>, rng: &mut Rng) {
    fields.insert(format!("x{}", rng.u8(..)), json!("y"));
}

/// A document of the run, with the places of its values.
struct Source {
    key: String,
    document: Value,
    places: Vec<String>,
}

/// A run whose documents are rewritten.
struct Run {
    files: Files,
    hashes: BTreeMap<String, String>,
    /// Every file, with the files that hold its hash.
    named_by: BTreeMap<String, Vec<String>>,
    sources: Vec<Source>,
    /// All values, by their type.
    by_type: BTreeMap<&'static str, Vec<Value>>,
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

impl Run {
    fn of(files: Files) -> Self {
        let (mut sources, mut by_type) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for (key, bytes) in &files {
            let is_ours = key.starts_with("evidence/") && key.ends_with(".json") && !key.contains("/m2j_");
            if !is_ours {
                continue;
            }
            let document: Value = serde_json::from_slice(bytes).unwrap();
            let mut all = Vec::new();
            places(&document, "", &mut all);
            for place in &all {
                let value = document.pointer(place).unwrap();
                by_type.entry(type_of(value)).or_default().push(value.clone());
            }
            sources.push(Source {
                key: key.clone(),
                document,
                places: all,
            });
        }
        let hashes: BTreeMap<String, String> = files
            .iter()
            .map(|(path, bytes)| (path.clone(), Sha256Hex::of(bytes).to_string()))
            .collect();
        let holds = |path: &String, hash: &str| String::from_utf8_lossy(&files[path]).contains(hash);
        let namers = |hash: &str| files.keys().filter(|path| holds(path, hash)).cloned().collect();
        let named_by = hashes.iter().map(|(path, hash)| (path.clone(), namers(hash))).collect();
        Run {
            hashes,
            named_by,
            sources,
            by_type,
            files,
        }
    }

    fn change(&self, value: &Value, rng: &mut Rng) -> Change {
        match rng.usize(..10) {
            0 => Change::Without,
            1 => Change::FieldBeside,
            2 => Change::OfAnotherType,
            3 | 4 => {
                let alike = &self.by_type[type_of(value)];
                Change::From(alike[rng.usize(..alike.len())].clone())
            }
            _ => Change::Another,
        }
    }

    /// What names the file, what names that, and so on. Every file comes after those that name it, and the file itself is the last.
    fn above<'r>(&'r self, path: &'r str, all: &mut Vec<&'r str>) {
        if !all.contains(&path) {
            self.named_by[path].iter().for_each(|namer| self.above(namer, all));
            all.push(path);
        }
    }

    /// The bytes of a file with `edit` made to its text, after these files that it may name are others.
    fn mended(&self, path: &str, others: &Files, edit: impl FnOnce(String) -> String) -> Vec<u8> {
        let mut text = String::from_utf8(self.files[path].clone()).unwrap();
        let mut lengths = BTreeMap::new();
        for (named, bytes) in others
            .iter()
            .filter(|(named, _)| self.named_by[*named].iter().any(|by| by == path))
        {
            let new = Sha256Hex::of(bytes).to_string();
            text = text.replace(&self.hashes[named], &new);
            lengths.insert(new, bytes.len());
        }
        text = edit(text);
        if text.as_bytes() == self.files[path] {
            return text.into_bytes();
        }
        match serde_json::from_str(&text) {
            Ok(mut value) => {
                resize(&mut value, &lengths);
                to_document(&value).unwrap()
            }
            // The closure notes are text.
            Err(_) => text.into_bytes(),
        }
    }

    /// The files that change when the document at `key` becomes `document`, and everything that names it is made to fit.
    fn rewritten(&self, key: &str, document: &Value) -> Files {
        let mut changed = Files::from([(key.to_owned(), to_document(document).unwrap())]);
        let mut above = Vec::new();
        self.above(key, &mut above);
        for path in above.into_iter().rev().skip(1) {
            let bytes = self.mended(path, &changed, |text| text);
            changed.insert(path.to_owned(), bytes);
        }
        changed
    }

    /// All files, with another value at every place where a text is the value.
    fn everywhere(&self, old: &str, new: &str) -> Files {
        let (mut files, mut order) = (Files::new(), Vec::new());
        self.files.keys().for_each(|path| self.above(path, &mut order));
        for path in order.into_iter().rev() {
            let bytes = self.mended(path, &files, |text| {
                // The history holds documents as texts in texts.
                let quoted = |quote: &str, text: &str| format!("{quote}{text}{quote}");
                let text = text.replace(&quoted("\"", old), &quoted("\"", new));
                text.replace(&quoted("\\\"", old), &quoted("\\\"", new))
            });
            files.insert(path.to_owned(), bytes);
        }
        files
    }

    fn set(&self, changed: &Files) -> EvidenceSet {
        let files = self.files.iter().map(|(path, bytes)| {
            let bytes = changed.get(path).unwrap_or(bytes);
            (path.clone(), bytes.clone())
        });
        EvidenceSet::from_mirror(files, [])
    }
}

/// Makes the lengths beside these hashes fit.
fn resize(value: &mut Value, lengths: &BTreeMap<String, usize>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resize(item, lengths)),
        Value::Object(fields) => {
            let length = fields
                .get("sha256")
                .and_then(Value::as_str)
                .and_then(|hash| lengths.get(hash));
            if let (Some(length), true) = (length.copied(), fields.contains_key("bytes")) {
                fields.insert("bytes".to_owned(), json!(length));
            }
            fields.values_mut().for_each(|field| resize(field, lengths));
        }
        _ => {}
    }
}

/// The table in docs/signature.md: names of artifacts (`*` stands for any letters) with the place below which values are free.
fn free() -> Vec<(String, String)> {
    let page = include_str!("../../docs/signature.md");
    let section = page.split("## What only the signature protects").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = |row: &str| -> Vec<String> { row.split('`').map(str::to_owned).collect() };
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.map(|cells| (cells[1].clone(), cells[3].clone())).collect()
}

fn is_free(free: &[(String, String)], artifact: &str, place: &str) -> bool {
    free.iter().any(|(name, below)| {
        let is_named = name
            .strip_prefix('*')
            .map_or(name == artifact, |end| artifact.ends_with(end));
        is_named && format!("{place}/").starts_with(below)
    })
}

async fn rewritten(name: &str, run: Mirrored, intact: u8, rewrites: usize, own: Option<&str>) {
    let dir = run.write(&format!("rewritten-{name}"));
    let (run, free) = (Run::of(run.files), free());
    let second = &mut SecondVerifier::start();
    let judge = |set: &EvidenceSet| exit_code(&p1_audit::verify::verify(set, &[]));
    let theirs = second.verify(&dir);
    assert_eq!(
        (judge(&run.set(&Files::new())), &theirs["exit_status"]),
        (intact, &json!(intact)),
        "{theirs}"
    );
    let mut rng = Rng::with_seed(name.len() as u64);
    let (mut ours, mut theirs, mut tried, mut passed) = (0, 0, 0, 0);
    let (mut disagreements, mut unlisted) = (Vec::new(), Vec::new());
    while tried < rewrites {
        let sources: Vec<&Source> = match own.filter(|_| tried % 2 == 0) {
            Some(own) => run.sources.iter().filter(|source| source.key.contains(own)).collect(),
            None => run.sources.iter().collect(),
        };
        let Source { key, document, places } = sources[rng.usize(..sources.len())];
        let place = &places[rng.usize(..places.len())];
        let change = run.change(document.pointer(place).unwrap(), &mut rng);
        let mut rewritten = document.clone();
        let how = rewrite(&mut rewritten, place, &change, &mut rng);
        if rewritten == *document {
            continue;
        }
        tried += 1;
        let changed = run.rewritten(key, &rewritten);
        for (path, bytes) in &changed {
            put(&dir, path, Some(bytes));
        }
        let answer = second.verify(&dir);
        for path in changed.keys() {
            put(&dir, path, Some(&run.files[path]));
        }
        let set = run.set(&changed);
        let status = judge(&set);
        let artifact = document["artifact"].as_str().unwrap_or_default();
        let what = format!("{artifact} {how} {place}");
        if answer["exit_status"] != json!(status) {
            disagreements.push(format!("{what}: {status}, {answer}"));
        }
        theirs += usize::from(answer["exit_status"].as_u64() >= Some(2));
        let status = match status {
            0 | 1 => exit_code(&p1_replay::verify(&set, &[], true).await.report),
            status => status,
        };
        if status >= 2 {
            ours += 1;
        } else {
            passed += 1;
            if !is_free(&free, artifact, place) {
                unlisted.push(what);
            }
        }
    }
    println!(
        "rewritten consistently, {name} run: {rewrites} rewrites / {ours} caught by verify / {theirs} by verify.py, which does not replay / \
         {} disagreements / {passed} passed, which docs/signature.md lists",
        disagreements.len()
    );
    assert!(disagreements.is_empty(), "{name}: {}", disagreements.join("\n"));
    assert!(unlisted.is_empty(), "{name} passes: {unlisted:#?}");
    let _ = fs::remove_dir_all(dir);
}

/// Every row of the table is true: some value there is free.
#[tokio::test]
async fn what_only_the_signature_protects_is_free_without_it() {
    let run = Run::of(resumed(START, Signer::Off).await.whole().files);
    let mut rng = Rng::with_seed(0);
    let free = free();
    assert!(!free.is_empty());
    for row in free {
        let row = [row];
        let places = run
            .sources
            .iter()
            .flat_map(|source| source.places.iter().map(move |place| (source, place)));
        let is_of_row = |(source, place): &(&Source, &String)| {
            let artifact = source.document["artifact"].as_str().unwrap_or_default();
            is_free(&row, artifact, place) && source.document.pointer(place).unwrap().is_string()
        };
        let mut passes = false;
        for (source, place) in places.filter(is_of_row) {
            let mut document = source.document.clone();
            rewrite(&mut document, place, &Change::Another, &mut rng);
            let set = run.set(&run.rewritten(&source.key, &document));
            passes = p1_replay::verify(&set, &[], true).await.report.findings.is_empty();
            if passes {
                break;
            }
        }
        assert!(passes, "{row:?}: nothing there is free");
    }
}

/// Only the bucket knows version ids and entity tags: they are what all documents and `objects.json` say they are.
#[tokio::test]
async fn version_ids_and_entity_tags_are_what_the_evidence_says() {
    let run = Run::of(resumed(START, Signer::Off).await.whole().files);
    let objects: Value = serde_json::from_slice(&run.files["objects.json"]).unwrap();
    let key = "/m3c_execution_summary.json";
    let entry = objects
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["key"].as_str().unwrap().ends_with(key));
    for field in ["version_id", "etag"] {
        let old = entry.unwrap()[field].as_str().unwrap();
        let new = format!("{}x", &old[1..]);
        let set = EvidenceSet::from_mirror(run.everywhere(old, &new), []);
        let verified = p1_replay::verify(&set, &[], true).await;
        assert_eq!(verified.report.findings, [], "{field}");
    }
}

#[tokio::test]
async fn a_rewritten_advance_is_judged_alike() {
    // Signed, and somebody took the signature away.
    let mut run = advanced(START, signer(KEY)).await.whole();
    let is_sidecar = |path: &String| SIDECARS.iter().any(|name| path.ends_with(&format!("/{name}")));
    let sidecars: Vec<String> = run.files.keys().filter(|path| is_sidecar(path)).cloned().collect();
    assert_eq!(sidecars.len(), 3);
    for path in sidecars {
        let list = relist(&run.files, &path, None);
        run.files.insert("objects.json".to_owned(), list);
        run.files.remove(&path);
    }
    rewritten("advanced", run, 0, REWRITES, None).await;
}

#[tokio::test]
async fn a_rewritten_hold_is_judged_alike() {
    rewritten("held", held(START, Signer::Off).await.whole(), 1, REWRITES, None).await;
}

#[tokio::test]
async fn a_rewritten_resumed_run_is_judged_alike() {
    rewritten("resumed", resumed(START, Signer::Off).await.whole(), 0, REWRITES, None).await;
}

#[tokio::test]
async fn a_rewritten_state_alone_is_judged_alike() {
    let run = single_state(START, Signer::Off, true).await.whole();
    rewritten("single-state", run, 1, FEW, Some(SECOND)).await;
}

#[tokio::test]
async fn a_rewritten_refusal_is_judged_alike() {
    rewritten(
        "refused-rerun",
        refused(START, Signer::Off).await.whole(),
        1,
        FEW,
        Some(SECOND),
    )
    .await;
}
