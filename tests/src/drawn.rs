//! Inputs of a run as somebody may write them, drawn from a seed. Each departs from the valid ones by one change, or by none. The
//! tests of two doors to one thing draw from here, so that both doors see the same inputs.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// What a run is given.
#[derive(Clone)]
pub struct Drawn {
    /// What is changed, for a test's message.
    pub what: String,
    /// The registry.
    pub registry: Vec<u8>,
    /// The document of stack outputs.
    pub stack_outputs: Vec<u8>,
}

/// An endless supply of inputs.
pub struct Draws {
    rng: Rng,
    registry: String,
    bucket: String,
}

const PLACEHOLDERS: [&str; 7] = [
    "\"TO_PIN\"",
    "TBD",
    "\"<pick one>\"",
    "\"\"",
    "null",
    "[\"a\",\"TODO\"]",
    "\"CHANGE_ME\"",
];

impl Draws {
    /// Draws that depart from this registry, and from stack outputs that name this evidence bucket.
    pub fn of(seed: u64, registry: &str, evidence_bucket: &str) -> Self {
        Draws {
            rng: Rng::with_seed(seed),
            registry: registry.to_owned(),
            bucket: evidence_bucket.to_owned(),
        }
    }

    /// The name and the value of a handle, as the registry writes them.
    fn handle(&mut self) -> (String, String, String) {
        let declared: Vec<&str> = self
            .registry
            .lines()
            .filter(|line| line.starts_with("* `") || line.starts_with("- `"))
            .collect();
        let line = declared[self.rng.usize(..declared.len())];
        let code = line.split('`').nth(1).unwrap();
        let (name, value) = code.split_once(" = ").unwrap();
        (line.to_owned(), name.to_owned(), value.to_owned())
    }

    fn valid_outputs(&self) -> Map<String, Value> {
        let claims = json!({"sensitive": false, "value": {"S3_EVIDENCE_BUCKET": self.bucket}});
        Map::from_iter([("p1_handle_materialization".to_owned(), claims)])
    }

    fn registry(&mut self) -> (String, Vec<u8>) {
        let (line, name, value) = self.handle();
        let placeholder = PLACEHOLDERS[self.rng.usize(..PLACEHOLDERS.len())];
        let without = self.registry.replace(&line, "");
        let with = |more: &str| format!("{}\n{more}\n", self.registry);
        let (what, text) = match self.rng.usize(..14) {
            0 => ("as it is", self.registry.clone()),
            1 => ("without", without),
            2 | 3 => ("a placeholder", format!("{without}\n* `{name} = {placeholder}`\n")),
            4 => ("twice, with another value", with(&format!("* `{name} = \"another\"`"))),
            5 => ("twice, with the same value", with(&format!("* `{name} = {value}`"))),
            6 => ("another text", format!("{without}\n* `{name} = \"another\"`\n")),
            7 => ("another number", format!("{without}\n* `{name} = 17`\n")),
            8 => ("behind a check box", format!("{without}\n* [ ] `{name} = {value}`\n")),
            9 => ("with a secret beside", with("* `STRAY = \"AKIAIOSFODNN7EXAMPLE\"`")),
            10 => ("with a secret in prose", with("The key is AKIAIOSFODNN7EXAMPLE.")),
            11 => (
                "CRLF and a mark",
                format!("\u{feff}{}", self.registry.replace('\n', "\r\n")),
            ),
            12 => {
                let bytes = self.registry.encode_utf16().flat_map(u16::to_le_bytes);
                return (
                    "the registry in UTF-16".to_owned(),
                    [0xff, 0xfe].into_iter().chain(bytes).collect(),
                );
            }
            _ => {
                let mut bytes = self.registry.clone().into_bytes();
                bytes.insert(self.rng.usize(..bytes.len()), 0xff);
                return ("the registry with a byte that is no text".to_owned(), bytes);
            }
        };
        (format!("the registry {what}: {name}"), text.into_bytes())
    }

    fn outputs(&mut self) -> (String, Vec<u8>) {
        let (_, name, value) = self.handle();
        let mut outputs = self.valid_outputs();
        let mut claim = |value: Value| {
            let claim = json!({"sensitive": false, "type": "dynamic", "value": value});
            outputs.insert(name.to_lowercase(), claim);
        };
        let registered = serde_json::from_str(&value).unwrap_or(json!(value));
        let what = match self.rng.usize(..12) {
            0 => "as they are",
            1 => {
                claim(registered);
                "the same value"
            }
            2 | 3 => {
                claim(json!("another"));
                "another text"
            }
            4 => {
                claim(json!(99));
                "another number"
            }
            5 => {
                claim(Value::Null);
                "null"
            }
            6 => {
                claim(json!([value]));
                "a list of it"
            }
            7 => return ("the outputs are a list".to_owned(), b"[]".to_vec()),
            8 => return ("the outputs are cut".to_owned(), b"{\"a\": {\"value\": ".to_vec()),
            9 => return ("the outputs say nothing".to_owned(), b"{}".to_vec()),
            10 => {
                let text = Value::Object(outputs).to_string();
                let bytes = text.encode_utf16().flat_map(u16::to_le_bytes);
                return (
                    "the outputs in UTF-16".to_owned(),
                    [0xff, 0xfe].into_iter().chain(bytes).collect(),
                );
            }
            _ => {
                let text = format!("\u{feff}{}\r\n", Value::Object(outputs));
                return ("the outputs with a mark".to_owned(), text.into_bytes());
            }
        };
        (
            format!("the outputs say of {name} {what}"),
            Value::Object(outputs).to_string().into_bytes(),
        )
    }
}

impl Iterator for Draws {
    type Item = Drawn;

    fn next(&mut self) -> Option<Drawn> {
        let valid = (
            self.registry.clone().into_bytes(),
            Value::Object(self.valid_outputs()).to_string().into_bytes(),
        );
        let (what, registry, stack_outputs) = if self.rng.bool() {
            let (what, registry) = self.registry();
            (what, registry, valid.1)
        } else {
            let (what, outputs) = self.outputs();
            (what, valid.0, outputs)
        };
        Some(Drawn {
            what,
            registry,
            stack_outputs,
        })
    }
}

/// An execution input that departs from `valid` by one change, or by none.
pub fn input(rng: &mut Rng, valid: &Value) -> (String, Value) {
    let mut places = Vec::new();
    walk(valid, "", &mut places);
    let place = places[rng.usize(..places.len())].clone();
    let mut input = valid.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    let fields = input.pointer_mut(parent).and_then(Value::as_object_mut);
    let what = match (rng.usize(..8), fields) {
        (0, _) => "as it is",
        (1, Some(fields)) => {
            fields.remove(name);
            "without"
        }
        (2, Some(fields)) => {
            fields.insert("replay-name".to_owned(), json!("x"));
            "with a field beside"
        }
        (3, Some(fields)) => {
            fields.insert(name.to_owned(), Value::Null);
            "null"
        }
        (4, Some(fields)) => {
            fields.insert(name.to_owned(), json!(7));
            "a number"
        }
        (5, Some(fields)) => {
            let longer = format!("{}x", fields[name].as_str().unwrap_or_default());
            fields.insert(name.to_owned(), json!(longer));
            "longer"
        }
        (6, Some(fields)) => {
            fields.insert(name.to_owned(), json!(""));
            "empty"
        }
        (_, Some(fields)) => {
            fields.insert(name.to_owned(), json!("../../x\u{202e}"));
            "a path"
        }
        (_, None) => "as it is",
    };
    (format!("{place} {what}"), input)
}

fn walk(value: &Value, at: &str, places: &mut Vec<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let place = format!("{at}/{name}");
        walk(field, &place, places);
        places.push(place);
    }
}
