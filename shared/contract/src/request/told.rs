//! What a hold or a refusal tells a person: its findings with their remedies, few and short enough for a cause.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blocker::{Blocker, Finding, settle};
use crate::secrets;

/// The most findings that are told.
const MOST: usize = 20;

/// The most room that they take together, as characters of JSON whose other characters than ASCII are escaped. A cause holds
/// 32,768 characters: the input to paste has half of them, and codes, ids and closure have what is left.
pub const TOLD_LIMIT: usize = 8_192;

/// The characters that are left of a text that is cut.
const CUT: usize = 250;

/// The most bytes of an input that a cause repeats.
pub const PASTE_LIMIT: usize = 16_384;

/// A finding as a message tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The rule that did not hold.
    pub code: Blocker,
    /// What it is about: a handle, a key, a step.
    pub subject: String,
    /// What was seen, in words.
    pub detail: String,
    /// What to do.
    pub remedy: String,
}

/// The findings that a hold or a refusal tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Those that have room, in the order of their codes.
    pub told: Vec<Told>,
    /// How many have none. They stand in the summary.
    pub cut: u64,
}

impl Findings {
    /// What is told of `findings`. The first of each code go before the second of any, so that each code is told where twenty
    /// can tell it. Secret material is redacted as it is in evidence.
    #[must_use]
    pub fn of(findings: Vec<Finding>) -> Self {
        let settled = settle(findings);
        let mut ranked: Vec<(usize, &Finding)> = settled
            .chunk_by(|one, other| one.code == other.code)
            .flat_map(|of_code| of_code.iter().enumerate())
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let mut room = TOLD_LIMIT;
        let mut kept: Vec<&Finding> = Vec::new();
        for (_, finding) in ranked.into_iter().take(MOST) {
            let Some(rest) = room.checked_sub(length(&tell(finding))) else {
                continue;
            };
            room = rest;
            kept.push(finding);
        }
        kept.sort();
        Findings {
            cut: (settled.len() - kept.len()) as u64,
            told: kept.into_iter().map(tell).collect(),
        }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty() && self.cut == 0
    }
}

/// One finding with its remedy. One that alone would take all the room has its texts cut, so that it is told.
fn tell(finding: &Finding) -> Told {
    let safe = |text: &str| secrets::redact_text(text).unwrap_or_else(|| text.to_owned());
    let mut told = Told {
        code: finding.code,
        subject: safe(&finding.subject),
        detail: safe(&finding.detail),
        remedy: finding.code.remedy().to_owned(),
    };
    if length(&told) > TOLD_LIMIT {
        told.subject = cut(&told.subject);
        told.detail = cut(&told.detail);
    }
    told
}

/// An input to give again, where a cause has room for it and it holds no secret material.
#[must_use]
pub fn asked(input: Value) -> Option<Value> {
    let fits = input.to_string().len() <= PASTE_LIMIT && secrets::scan_value(&input).is_empty();
    fits.then_some(input)
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(CUT).collect();
    kept.push('…');
    kept
}

/// The room of one in a list, its comma included.
fn length(told: &Told) -> usize {
    let text = serde_json::to_value(told).unwrap_or(Value::Null).to_string();
    let escaped = |c: char| if c.is_ascii() { 1 } else { 6 * c.len_utf16() };
    1 + text.chars().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(findings: &Findings) -> usize {
        findings.told.iter().map(length).sum()
    }

    #[test]
    fn every_code_is_told_before_one_is_told_twice() {
        let mut all: Vec<Finding> = (0..50)
            .map(|n| Blocker::HandleMissing.on(format!("K{n:02}"), "is not declared"))
            .collect();
        all.push(Blocker::HandleContradiction.on("A", "says two things"));
        let findings = Findings::of(all);
        assert_eq!(findings.told.len(), MOST);
        assert_eq!(findings.cut, 31);
        let told: Vec<(&str, &str)> = findings
            .told
            .iter()
            .map(|t| (t.code.code(), t.subject.as_str()))
            .collect();
        assert_eq!((told[0].1, told[18].1, told[19].1), ("K00", "K18", "A"));
        assert_eq!(findings.told[19].remedy, Blocker::HandleContradiction.remedy());
    }

    #[test]
    fn what_is_told_has_its_room_whatever_is_written_in_it() {
        for text in ["\"", "é", "\u{1f980}", "x"] {
            let long = text.repeat(400);
            let all: Vec<Finding> = (0..30)
                .map(|n| Blocker::HandleMissing.on(format!("{n:02}{long}"), long.as_str()))
                .collect();
            let stand = settle(all.clone()).len() as u64;
            let findings = Findings::of(all);
            assert!(room(&findings) <= TOLD_LIMIT, "{text}: {}", room(&findings));
            assert!(!findings.told.is_empty(), "{text}");
            assert_eq!(findings.told.len() as u64 + findings.cut, stand, "{text}");
        }
        // One without room leaves what there is to those after it.
        let long = "\u{1f980}".repeat(400);
        let findings = Findings::of(vec![
            Blocker::HandleMissing.on(format!("1{long}"), long.as_str()),
            Blocker::HandleMissing.on(format!("2{long}"), long.as_str()),
            Blocker::HandleMissing.on("3", "is not declared"),
        ]);
        let told: Vec<usize> = findings.told.iter().map(|told| told.subject.chars().count()).collect();
        assert_eq!((told, findings.cut), (vec![CUT + 1, 1], 1));
    }

    #[test]
    fn secret_material_is_not_told() {
        let key_id = ["AKIA", "IOSFODNN7", "EXAMPLQ"].concat();
        let findings = Findings::of(vec![Blocker::HandleMissing.on(key_id.as_str(), key_id.as_str())]);
        let text = serde_json::to_string(&findings.told).unwrap();
        assert!(!text.contains(&key_id), "{text}");
    }

    #[test]
    fn an_input_is_repeated_without_secrets_and_where_there_is_room() {
        let key_id = ["AKIA", "IOSFODNN7", "EXAMPLQ"].concat();
        for (text, repeated) in [("a", true), (key_id.as_str(), false), (&"a".repeat(PASTE_LIMIT), false)] {
            let input = serde_json::json!({ "resume": text });
            assert_eq!(asked(input.clone()), repeated.then_some(input));
        }
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        assert!(Findings::of(Vec::new()).is_empty());
    }
}
