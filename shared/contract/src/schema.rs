//! JSON Schemas (2020-12) of evidence, generated from its types (contract section 6).
//!
//! They describe what is written, not what a reader would put up with: every object is closed, an optional field is
//! absent rather than null, integers are those that canonical JSON can carry, and floats do not occur. What a header
//! says of its document (name, version, phase, step) is constant.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::attestation::{ENVELOPE_SCHEMA, Envelope, PAYLOAD_TYPE, STATEMENT_TYPE, Statement};
use crate::evidence::{Body, ExecutionSummary, HOLD, Head, Header, PHASE_ID};
use crate::revision;
use crate::step::Step;

/// The dialect that the schemas are written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The definition that stands for any JSON that evidence may hold.
const ANY_JSON: &str = "CanonicalJson";
/// The largest integer of canonical JSON, 2^53 − 1.
const MAX_INTEGER: i64 = (1 << 53) - 1;
/// Vocabularies of more words than this are listed without the words' descriptions.
const DESCRIBED_WORDS: usize = 20;

/// The schema of the artifact `B`, which `step` publishes.
#[must_use]
pub fn document<B: Body>(step: Step) -> Value {
    headed::<B, B::Head>(B::NAME, &B::schema_name(), step, &[])
}

/// The schema of the execution summary `name`, which closes `step` (or the admission, which the same function does).
#[must_use]
pub fn summary(name: &str, step: Step) -> Value {
    let title = format!("ExecutionSummary of {name}");
    let mut schema = headed::<ExecutionSummary, Header>(name, &title, step, &[]);
    fix(&mut schema, "next_gate", json!({ "enum": [step.ready_gate(), HOLD] }));
    schema
}

/// The schema of the observations `name`, which `step` stores before it concludes anything; `O` is the whole envelope.
#[must_use]
pub fn observations<O: JsonSchema>(name: &str, step: Step) -> Value {
    // They come before anything that is known of the run.
    headed::<O, Header>(name, &format!("Observations of {name}"), step, &RUN_IDS)
}

/// The schema of a document without the common header, whose own fields name it: `schema_version`, `artifact`, and
/// where it has one `phase_id`.
#[must_use]
pub fn record<T: JsonSchema>(name: &str) -> Value {
    let mut generator = generator();
    let mut root = T::json_schema(&mut generator).to_value();
    name_it(&mut root, name);
    finished(root, name, &T::schema_name(), generator)
}

/// The schema of a DSSE envelope around an in-toto Statement.
#[must_use]
pub fn envelope() -> Value {
    let mut generator = generator();
    let mut root = Envelope::json_schema(&mut generator).to_value();
    let base64 = json!({ "type": "string", "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$" });
    fix(&mut root, "payloadType", json!({ "const": PAYLOAD_TYPE }));
    fix(&mut root, "payload", base64.clone());
    root["properties"]["signatures"]["minItems"] = json!(1);
    root["properties"]["signatures"]["maxItems"] = json!(1);
    let mut schema = finished(root, ENVELOPE_SCHEMA, &Envelope::schema_name(), generator);
    let signature = &mut schema["$defs"]["EnvelopeSignature"];
    fix(
        signature,
        "keyid",
        json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
    );
    fix(signature, "sig", base64);
    schema
}

/// The schema of an in-toto Statement with a predicate `P` of this type.
#[must_use]
pub fn statement<P: JsonSchema>(name: &str, predicate_type: &str) -> Value {
    let mut generator = generator();
    let mut root = Statement::<P>::json_schema(&mut generator).to_value();
    fix(&mut root, "_type", json!({ "const": STATEMENT_TYPE }));
    fix(&mut root, "predicateType", json!({ "const": predicate_type }));
    root["properties"]["subject"]["minItems"] = json!(1);
    finished(root, name, &format!("Statement of {name}"), generator)
}

/// The text of a schema's file.
#[must_use]
pub fn render(schema: &Value) -> String {
    format!("{schema:#}\n")
}

const RUN_IDS: [&str; 3] = ["platform_run_id", "scenario_run_id", "config_digest"];
const PHASE_EXECUTION: &str = "phase_execution_id";

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// The schema of a document with a header of type `H`, of which it does not use some fields, over a body of type `T`.
fn headed<T: JsonSchema, H: Head>(name: &str, title: &str, step: Step, unused: &[&str]) -> Value {
    let mut generator = generator();
    let mut head = H::json_schema(&mut generator).to_value();
    // By its type an id that is there is no null.
    tighten(&mut head);
    let mut root = T::json_schema(&mut generator).to_value();
    let fields = |schema: &Value| schema["properties"].as_object().cloned().unwrap_or_default();
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    let mut properties = fields(&head);
    properties.retain(|field, _| !unused.contains(&field.as_str()));
    let is_of_an_attempt = properties.contains_key(PHASE_EXECUTION);
    let mut all_required = required(&head);
    properties.extend(fields(&root));
    all_required.extend(required(&root));
    root["properties"] = Value::Object(properties);
    root["required"] = Value::Array(all_required);

    name_it(&mut root, name);
    fix(&mut root, "step", json!({ "const": step }));
    if is_of_an_attempt {
        let pattern = format!("^{}_[0-9]{{8}}T[0-9]{{6}}Z_[0-9a-f]{{12}}$", step.prefix());
        fix(
            &mut root,
            PHASE_EXECUTION,
            json!({ "type": "string", "pattern": pattern }),
        );
    }
    finished(root, name, title, generator)
}

/// Makes the fields that name a document constant.
fn name_it(schema: &mut Value, name: &str) {
    fix(schema, "schema_version", json!({ "const": revision::version_of(name) }));
    fix(schema, "artifact", json!({ "const": name }));
    fix(schema, "phase_id", json!({ "const": PHASE_ID }));
}

/// Replaces what a schema asserts of `field`, where it has the field; the description stays.
fn fix(schema: &mut Value, field: &str, assertion: Value) {
    if let (Some(Value::Object(property)), Value::Object(assertion)) = (schema["properties"].get_mut(field), assertion)
    {
        property.retain(|keyword, _| keyword == "description");
        property.extend(assertion);
    }
}

/// The root with the definitions that it refers to, all made strict.
fn finished(mut root: Value, name: &str, title: &str, mut generator: SchemaGenerator) -> Value {
    root["$schema"] = json!(DIALECT);
    root["$id"] = json!(format!("urn:p1:schema:{name}:{}", revision::version_of(name)));
    root["title"] = json!(title);
    let mut definitions = generator.take_definitions(false);
    tighten(&mut root);
    definitions.values_mut().for_each(tighten);
    definitions.insert(ANY_JSON.to_owned(), any_json());
    keep_used(&root, &mut definitions);
    for field in revision::added(name) {
        require(&mut root, &mut definitions, field);
    }
    if !definitions.is_empty() {
        root["$defs"] = Value::Object(definitions);
    }
    root
}

/// Makes a field required, in the object that the parts before the last dot lead to. A list stands for its elements.
fn require(schema: &mut Value, definitions: &mut Map<String, Value>, path: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        // Taken out and put back, because a definition may lead to others.
        let name = name.to_owned();
        if let Some(mut definition) = definitions.remove(&name) {
            require(&mut definition, definitions, path);
            definitions.insert(name, definition);
        }
        return;
    }
    for choice in ["anyOf", "oneOf"] {
        let choices = schema.get_mut(choice).and_then(Value::as_array_mut);
        choices
            .into_iter()
            .flatten()
            .for_each(|choice| require(choice, definitions, path));
    }
    if let Some(items) = schema.get_mut("items") {
        require(items, definitions, path);
    }
    let (field, rest) = path
        .split_once('.')
        .map_or((path, None), |(field, rest)| (field, Some(rest)));
    let property = schema
        .get_mut("properties")
        .and_then(|properties| properties.get_mut(field));
    let Some(property) = property else { return };
    if let Some(rest) = rest {
        require(property, definitions, rest);
        return;
    }
    match schema.get_mut("required") {
        Some(Value::Array(required)) => required.push(json!(field)),
        _ => schema["required"] = json!([field]),
    }
}

fn any_json() -> Value {
    let itself = reference(ANY_JSON);
    json!({
        "description": "Any JSON without floats, with integers within ±(2^53−1).",
        "anyOf": [
            { "type": ["null", "boolean", "string"] },
            { "type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER },
            { "type": "array", "items": itself },
            { "type": "object", "additionalProperties": itself },
        ],
    })
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

/// Drops the definitions that nothing reachable from the root refers to.
fn keep_used(root: &Value, definitions: &mut Map<String, Value>) {
    let mut used = Vec::new();
    refer(root, &mut used);
    let mut done = 0;
    while let Some(name) = used.get(done).cloned() {
        done += 1;
        if let Some(definition) = definitions.get(&name) {
            refer(definition, &mut used);
        }
    }
    definitions.retain(|name, _| used.contains(name));
}

fn refer(schema: &Value, used: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            if let Some(name) = keywords.get("$ref").and_then(|r| r.as_str()?.strip_prefix("#/$defs/"))
                && !used.iter().any(|known| known == name)
            {
                used.push(name.to_owned());
            }
            keywords.values().for_each(|value| refer(value, used));
        }
        Value::Array(items) => items.iter().for_each(|item| refer(item, used)),
        _ => {}
    }
}

/// Makes a schema, and all schemas in it, as strict as what is written.
fn tighten(schema: &mut Value) {
    if schema == &Value::Bool(true) {
        *schema = reference(ANY_JSON);
        return;
    }
    let Value::Object(keywords) = schema else { return };
    plain_description(keywords);
    optional_is_absent(keywords);
    bound_integer(keywords);
    list_words(keywords);
    if keywords.contains_key("properties") && !keywords.contains_key("additionalProperties") {
        keywords.insert("additionalProperties".to_owned(), json!(false));
    }
    // A schema that only describes allows anything.
    if keywords.keys().all(|keyword| keyword == "description") {
        keywords.insert("$ref".to_owned(), reference(ANY_JSON)["$ref"].take());
    }
    for (keyword, value) in keywords.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(schemas)) => schemas.values_mut().for_each(tighten),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(tighten);
            }
            ("items" | "additionalProperties", schema) => tighten(schema),
            _ => {}
        }
    }
}

/// Doc comments as running text: without line breaks inside a paragraph, and without the brackets of links.
fn plain_description(keywords: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = keywords.get_mut("description") {
        let paragraphs: Vec<String> = text
            .replace("[`", "`")
            .replace("`]", "`")
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "))
            .collect();
        *text = paragraphs.join("\n\n");
    }
}

/// What is not required is left out when there is none: it is never written as null.
fn optional_is_absent(keywords: &mut Map<String, Value>) {
    let required = keywords.get("required").and_then(Value::as_array).cloned();
    let required = required.unwrap_or_default();
    let Some(Value::Object(properties)) = keywords.get_mut("properties") else {
        return;
    };
    let null = json!("null");
    for (field, property) in properties.iter_mut() {
        let Value::Object(property) = property else { continue };
        if required.iter().any(|name| name == field) {
            continue;
        }
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|name| name != &null);
            if let [only] = types.as_slice() {
                let only = only.clone();
                property.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = property.get_mut("anyOf") {
            choices.retain(|choice| choice["type"] != null);
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                property.remove("anyOf");
                property.extend(only);
            }
        }
    }
}

/// Puts the range of an integer's type in the place of its name, which is no format of JSON Schema.
fn bound_integer(keywords: &mut Map<String, Value>) {
    let (minimum, maximum) = match keywords.get("format").and_then(Value::as_str) {
        Some("uint8") => (0, i64::from(u8::MAX)),
        Some("uint16") => (0, i64::from(u16::MAX)),
        Some("uint32") => (0, i64::from(u32::MAX)),
        Some("uint64" | "uint") => (0, MAX_INTEGER),
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64" | "int") => (-MAX_INTEGER, MAX_INTEGER),
        _ => return,
    };
    keywords.remove("format");
    keywords.insert("minimum".to_owned(), json!(minimum));
    keywords.insert("maximum".to_owned(), json!(maximum));
}

/// Lists the words of a long vocabulary without their descriptions, which would stand in every schema that uses it.
fn list_words(keywords: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = keywords.get("oneOf") else {
        return;
    };
    let words: Option<Vec<Value>> = choices.iter().map(|choice| choice.get("const").cloned()).collect();
    if let Some(words) = words.filter(|words| words.len() > DESCRIBED_WORDS) {
        keywords.remove("oneOf");
        keywords.insert("type".to_owned(), json!("string"));
        keywords.insert("enum".to_owned(), Value::Array(words));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::artifacts::RunRecord;
    use crate::ids::Stamp;

    /// What was seen,
    /// as [`Stamp`] has it.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Sample {
        always: Option<Stamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        at_times: Option<Stamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        count: u32,
        total: u64,
        anything: BTreeMap<String, Value>,
        /// Anything.
        described: Value,
    }

    impl Body for Sample {
        const NAME: &'static str = "m3d_sample";
        type Head = Header;
    }

    #[test]
    fn a_schema_is_as_strict_as_what_is_written() {
        let schema = document::<Sample>(Step::OrchestratorReadiness);
        let property = |name: &str| schema["properties"][name].clone();
        assert_eq!(schema["$id"], "urn:p1:schema:m3d_sample:2");
        assert_eq!(schema["description"], "What was seen, as `Stamp` has it.");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(property("artifact")["const"], "m3d_sample");
        assert_eq!(property("step")["const"], "M3.D");
        let stamp_or_null = json!([reference("Stamp"), { "type": "null" }]);
        assert_eq!(property("always")["anyOf"], stamp_or_null);
        assert_eq!(property("at_times"), reference("Stamp"));
        assert_eq!(property("text"), json!({ "type": "string" }));
        let of_32_bits = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
        assert_eq!(property("count"), of_32_bits);
        assert_eq!(property("total")["maximum"], MAX_INTEGER);
        assert_eq!(property("anything")["additionalProperties"], reference(ANY_JSON));
        assert_eq!(property("described")["$ref"], "#/$defs/CanonicalJson");
        let defined = schema["$defs"].as_object().unwrap().keys();
        let used = [ANY_JSON, "PlatformRunId", "ScenarioRunId", "Sha256Hex", "Stamp"];
        assert!(defined.eq(used), "{}", schema["$defs"]);
        let required = schema["required"].as_array().unwrap().iter().flat_map(Value::as_str);
        let of_header = ["schema_version", "artifact", "phase_id", "step", PHASE_EXECUTION].into_iter();
        let of_body = ["always", "count", "total", "anything", "described"];
        assert!(required.eq(of_header.chain(of_body)), "{}", schema["required"]);
    }

    #[test]
    fn the_ids_of_a_header_depend_on_what_the_document_is_of() {
        let ids = |schema: Value| {
            let allowed = |id: &&str| schema["properties"].get(*id).is_some();
            let required = |id: &&str| schema["required"].as_array().unwrap().contains(&json!(id));
            let all = [PHASE_EXECUTION].into_iter().chain(RUN_IDS);
            let (allowed, required): (Vec<_>, Vec<_>) =
                (all.clone().filter(allowed).collect(), all.filter(required).collect());
            (allowed.len(), required)
        };
        let step = Step::RunPublication;
        assert_eq!(ids(document::<Sample>(step)), (4, vec![PHASE_EXECUTION]));
        let observed = observations::<Sample>("m3e_observations", step);
        assert_eq!(ids(observed), (1, vec![PHASE_EXECUTION]));
        assert_eq!(ids(document::<RunRecord>(step)), (3, RUN_IDS.to_vec()));
    }
}
