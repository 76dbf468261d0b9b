//! Stack outputs, as `terraform output -json` writes them (contract section 5).
//!
//! A number stays what was written, and a list that the output's type calls a set has no order: values are compared as values.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::blocker::{Blocker, Finding};
use crate::exact::{Exact, Written};
use crate::handles::HandleFacts;
use crate::ids::HandleKey;
use crate::observations::handle_closure::{StackClaim, StackOutputsFact};
use crate::registry::{HandleValue, Reading, Registry};
use crate::secrets::{self, SecretHit};

/// The end of the name of an output that maps handles to values.
const MATERIALIZATION: &str = "_handle_materialization";

/// A claim, its value as evidence holds it.
fn stack_claim(output: &str, handle: &str, value: &Exact) -> StackClaim {
    let Written { value, numbers, sets } = value.written();
    StackClaim {
        output: output.to_owned(),
        handle: handle.to_owned(),
        value,
        numbers,
        sets,
    }
}

/// The handles that are claimed.
#[must_use]
pub fn claimed(stacks: &[StackOutputsFact]) -> Vec<String> {
    let claims = stacks.iter().flat_map(|stack| &stack.claims);
    claims.map(|claim| claim.handle.clone()).collect()
}

/// Those of `keys` whose value the registry writes as a decimal number, in order, once.
#[must_use]
pub fn decimals(registry: &Registry, keys: &[String]) -> Vec<String> {
    let is_decimal = |key: &&String| matches!(registry.get(key.as_str()), Reading::Resolved(HandleValue::Decimal(_)));
    let mut decimals: Vec<String> = keys.iter().filter(is_decimal).cloned().collect();
    decimals.sort();
    decimals.dedup();
    decimals
}

/// What the registry says, to hold what stacks claim against it.
#[derive(Debug, Clone, Copy)]
pub struct Registered<'r> {
    /// The handles that are claimed, as the registry has them. `None` if there is no registry.
    pub handles: Option<&'r HandleFacts>,
    /// Those whose value is a decimal number ([`decimals`]).
    pub decimals: &'r [String],
}

impl Registered<'_> {
    /// What the registry and the stack say of one handle, where both say something.
    fn pair(self, claim: &StackClaim) -> Option<(Exact, Exact)> {
        let value = self.handles?.value(&claim.handle).ok()?;
        let output = claim.exact();
        if output == Exact::Null {
            return None;
        }
        let is_decimal = self.decimals.contains(&claim.handle);
        let numbers = if is_decimal { vec![String::new()] } else { Vec::new() };
        Some((Exact::of_written(value, &numbers, &[]), output))
    }

    /// Whether a stack outputs the value that the registry has.
    #[must_use]
    pub fn agrees(self, stacks: &[StackOutputsFact], key: &str) -> bool {
        let mut claims = stacks.iter().flat_map(|stack| &stack.claims);
        claims.any(|claim| claim.handle == key && self.pair(claim).is_some_and(|(one, two)| one.agrees_with(&two)))
    }

    /// Holds every value that a stack outputs against its handle. Gives the objections, by M3.A's code, and how many values were
    /// compared.
    #[must_use]
    pub fn compare(self, stacks: &[StackOutputsFact]) -> (Vec<Finding>, usize) {
        let (mut findings, mut compared, mut is_readable) = (Vec::new(), 0, true);
        for stack in stacks {
            if let Some(why) = &stack.unreadable {
                is_readable = false;
                let detail = format!("INCONCLUSIVE: the stack outputs cannot be held against the registry: {why}");
                findings.push(Blocker::HandleContradiction.on(stack.uri.as_str(), detail));
            }
            for claim in &stack.claims {
                let Some((registry, output)) = self.pair(claim) else {
                    continue;
                };
                compared += 1;
                if !registry.agrees_with(&output) {
                    let detail = format!(
                        "the registry says `{}`, output {} of {} says `{}`",
                        registry.shown(),
                        claim.output,
                        stack.uri,
                        output.shown()
                    );
                    findings.push(Blocker::HandleContradiction.on(claim.handle.as_str(), detail));
                }
            }
        }
        // A document that cannot be read, and a registry that is not there, have their own blockers.
        if !stacks.is_empty() && self.handles.is_some() && is_readable && compared == 0 {
            let uris: Vec<&str> = stacks.iter().map(|stack| stack.uri.as_str()).collect();
            let detail = "INCONCLUSIVE: the stack outputs give no value for any handle that the registry has a value for, so nothing \
                          was compared; publish the outputs that the registry's handles are named after, or configure none";
            findings.push(Blocker::HandleContradiction.on(uris.join(", "), detail));
        }
        (findings, compared)
    }
}

/// Takes secret material out of what is claimed.
pub fn redact(fact: &mut StackOutputsFact) {
    for claim in &mut fact.claims {
        let mut named = serde_json::json!({ claim.handle.clone(): claim.value.take() });
        secrets::redact_value(&mut named);
        let value = named.as_object_mut().and_then(|map| map.values_mut().next());
        claim.value = value.map(Value::take).unwrap_or_default();
    }
}

/// What one document claims for handles, and the secret material in it.
///
/// # Errors
/// When it is not an object of outputs, in words that name the output.
pub fn claims(document: &Exact) -> Result<(Vec<StackClaim>, Vec<SecretHit>), String> {
    let Exact::Map(outputs) = document else {
        return Err("is not a JSON object of outputs".to_owned());
    };
    let (mut claims, mut hits) = (Vec::new(), Vec::new());
    for (output, body) in outputs {
        let Exact::Map(body) = body else {
            return Err(format!("output `{}` is not an object", shown(output)));
        };
        match body.get("sensitive") {
            // Never looked at, not even by the scan.
            Some(Exact::Flag(true)) => continue,
            None | Some(Exact::Flag(false)) => {}
            Some(_) => {
                return Err(format!("output `{}`: `sensitive` is not true or false", shown(output)));
            }
        }
        let value = body
            .get("value")
            .ok_or_else(|| format!("output `{}` has no value", shown(output)))?;
        let named_value = serde_json::json!({ output.clone(): value.written().value });
        hits.extend(secrets::scan_value(&named_value));
        let mut claim = |handle: &str, value: &Exact| {
            if HandleKey::parse(handle).is_ok() {
                claims.push(stack_claim(output, handle, value));
            }
        };
        match typed(value, body.get("type")) {
            Exact::Map(map) if output.ends_with(MATERIALIZATION) => {
                map.iter().for_each(|(handle, value)| claim(handle, value));
            }
            // A stack that is not there yet gives its map as null.
            Exact::Null if output.ends_with(MATERIALIZATION) => {}
            _ if output.ends_with(MATERIALIZATION) => {
                return Err(format!("output `{}` is not a map by handle", shown(output)));
            }
            value => claim(&output.to_ascii_uppercase(), &value),
        }
    }
    Ok((claims, hits))
}

/// The value with the sets that its type names: `["set","string"]`, also inside `["object",{…}]` and its like.
fn typed(value: &Exact, of: Option<&Exact>) -> Exact {
    let (kind, parts) = match of {
        Some(Exact::List(of)) => match of.as_slice() {
            [Exact::Text(kind), parts, ..] => (kind.as_str(), parts),
            _ => return value.clone(),
        },
        _ => return value.clone(),
    };
    let each = |items: &[Exact]| items.iter().map(|item| typed(item, Some(parts))).collect();
    match (kind, value, parts) {
        ("set", Exact::List(items), _) => Exact::Set(each(items)),
        ("list", Exact::List(items), _) => Exact::List(each(items)),
        ("tuple", Exact::List(items), Exact::List(parts)) => {
            let items = items.iter().enumerate();
            Exact::List(items.map(|(n, item)| typed(item, parts.get(n))).collect())
        }
        ("map", Exact::Map(map), _) => {
            let members = map.iter().map(|(key, item)| (key.clone(), typed(item, Some(parts))));
            Exact::Map(members.collect())
        }
        ("object", Exact::Map(map), Exact::Map(parts)) => {
            let members = map.iter().map(|(key, item)| (key.clone(), typed(item, parts.get(key))));
            Exact::Map(members.collect::<BTreeMap<_, _>>())
        }
        _ => value.clone(),
    }
}

/// An output's name, cut and fit for a message: it is the sender's.
fn shown(output: &str) -> String {
    output.chars().take(64).flat_map(char::escape_debug).collect()
}
