//! Whether two values say the same.
//!
//! Terraform turns numbers and flags into texts and back wherever a type asks for it, `jsonencode` makes texts of lists and objects,
//! and a registry writes bare words. So a text agrees with a number, a flag, a list or an object if it is the JSON of
//! one that agrees: `"300"` and `300`, `["80","443"]` and `[80,443]`. Two texts agree only letter by letter: `"1.0"` is not `"1"`.

use super::Exact;
use crate::strict::Limits;

impl Exact {
    /// Whether what the registry says (`self`) and what a stack outputs say the same. A `null` of the stack says nothing; inside an object it
    /// stands for a member that is not set.
    #[must_use]
    pub fn agrees_with(&self, output: &Exact) -> bool {
        match (self, output) {
            (Exact::Text(one), Exact::Text(two)) => one == two,
            (Exact::Text(text), other) => read(text).is_some_and(|value| value.agrees_with(other)),
            (other, Exact::Text(text)) => read(text).is_some_and(|value| other.agrees_with(&value)),
            (Exact::List(one), Exact::List(two)) => all_agree(one.iter(), two.iter()),
            (Exact::List(one) | Exact::Set(one), Exact::List(two) | Exact::Set(two)) => {
                all_agree(in_order(one).into_iter(), in_order(two).into_iter())
            }
            (Exact::Map(one), Exact::Map(two)) => {
                let held = one.iter().all(|(key, value)| match two.get(key) {
                    Some(Exact::Null) => true,
                    Some(other) => value.agrees_with(other),
                    None => false,
                });
                held && two
                    .iter()
                    .all(|(key, other)| *other == Exact::Null || one.contains_key(key))
            }
            _ => self == output,
        }
    }
}

fn all_agree<'a>(
    mut one: impl ExactSizeIterator<Item = &'a Exact>,
    two: impl ExactSizeIterator<Item = &'a Exact>,
) -> bool {
    one.len() == two.len()
        && two
            .into_iter()
            .all(|other| one.next().is_some_and(|own| own.agrees_with(other)))
}

/// What a text is the JSON of; none where it is the JSON of another text or of nothing.
fn read(text: &str) -> Option<Exact> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_digit() || "-tf[{".contains(c));
    if !starts_well || text.ends_with(char::is_whitespace) {
        return None;
    }
    Exact::parse(text.as_bytes(), Limits::DOCUMENT).ok()
}

/// The members of a set in an order that members which agree have in common.
fn in_order(items: &[Exact]) -> Vec<&Exact> {
    let mut keyed: Vec<_> = items
        .iter()
        .map(|item| (loosely(item), item.to_string(), item))
        .collect();
    keyed.sort_by(|one, two| (&one.0, &one.1).cmp(&(&two.0, &two.1)));
    keyed.into_iter().map(|(_, _, item)| item).collect()
}

/// A text that is the same for values that agree.
fn loosely(value: &Exact) -> String {
    let joined = |items: Vec<String>| items.join(",");
    match value {
        Exact::Text(text) => read(text).map_or_else(|| value.to_string(), |value| loosely(&value)),
        Exact::Set(items) | Exact::List(items) => {
            let mut items: Vec<_> = items.iter().map(loosely).collect();
            items.sort();
            format!("[{}]", joined(items))
        }
        Exact::Map(map) => {
            let members = map.iter().filter(|(_, member)| **member != Exact::Null);
            let members = members.map(|(key, member)| format!("{key}:{}", loosely(member)));
            format!("{{{}}}", joined(members.collect()))
        }
        Exact::Null | Exact::Flag(_) | Exact::Number(_) => value.to_string(),
    }
}
