//! The top of the page: what the directory proves, what is wrong with it, and what to do about a hold.

use std::collections::BTreeMap;

use maud::{Markup, html};
use p1_audit::findings::Grade;
use p1_audit::verify::{SignatureState, Standing};
use p1_contract::blocker::{Blocker, Severity};

use super::parts::{Cell, Mark, count, facts, grouped, objects, section, table, value};
use crate::model::{Ending, Model, Next, Raised, Remark};
use crate::text::Text;

/// The word of a standing, the class of the whole page, and the mark.
pub(super) fn sign(standing: Standing) -> (&'static str, &'static str, Mark) {
    match standing {
        Standing::Pinned => ("PINNED", "standing-pinned", Mark::Pass),
        Standing::Admitted => ("ADMITTED", "standing-pinned", Mark::Pass),
        // These pin nothing.
        Standing::Refused => ("REFUSED", "standing-held", Mark::Held),
        Standing::Intact => ("INTACT", "standing-held", Mark::Held),
        Standing::Held => ("HELD", "standing-held", Mark::Held),
        Standing::Tampered => ("TAMPERED", "standing-tampered", Mark::Alarm),
        Standing::OtherKey => ("OTHER KEY", "standing-incomplete", Mark::Unknown),
        Standing::Incomplete => ("INCOMPLETE", "standing-incomplete", Mark::Unknown),
    }
}

fn meaning(standing: Standing) -> &'static str {
    match standing {
        Standing::Pinned => "The run is pinned, and its evidence is intact.",
        Standing::Admitted => "A later phase was admitted to the run, and the evidence of it is intact.",
        Standing::Refused => "A later phase was refused, and the evidence of it is intact.",
        Standing::Intact => "This kind of execution ends without a verdict and pins nothing. Its evidence is intact.",
        Standing::Held => "The run is held, and its evidence is intact.",
        Standing::Tampered => "The evidence was changed, or contradicts itself. Do not rely on it.",
        Standing::OtherKey => {
            "The evidence agrees with its own signature, which is by none of the keys that were given. Nothing shows that it was \
             changed, and nothing shows who wrote it."
        }
        Standing::Incomplete => "The evidence is not whole, or no verdict was committed. Nothing is proven by it.",
    }
}

/// Whether P1 wrote the directory's statements unchanged.
pub(super) fn is_intact(standing: Standing) -> bool {
    !matches!(standing, Standing::Tampered | Standing::OtherKey | Standing::Incomplete)
}

pub(super) fn banner(model: &Model) -> Markup {
    let standing = model.standing;
    let (word, _, mark) = sign(standing);
    let id = |id: &Option<Text>| match id {
        Some(id) => value(id),
        None => html! { span.quiet { "none" } },
    };
    html! {
        section.banner id="verdict" tabindex="-1" aria-labelledby="verdict-word" {
            div.banner-head {
                (mark.inline())
                div {
                    h1 id="verdict-word" { (word) }
                    p.lead { (meaning(standing)) }
                }
            }
            (urgent(model))
            @if let Some(what) = &model.ended_before { p.stated { strong { (what) } ". It committed nothing: what follows is the run that it is of." } }
            @if model.entry.is_none() { (stated(model)) }
            dl.triplet {
                div { dt { "platform_run_id" } dd { (id(&model.platform_run_id)) } }
                div { dt { "scenario_run_id" } dd { (id(&model.scenario_run_id)) } }
                div { dt { "config_digest" } dd { (id(&model.config_digest)) } }
            }
            (counts(model))
            (signature(model))
        }
    }
}

/// The number of codes that the first screen shows. The section about the hold has them all.
const FIRST: usize = 3;

/// The first screen of a held run, also on a phone: each code with what it is about and its remedy, and what to do then.
fn urgent(model: &Model) -> Markup {
    if model.standing != Standing::Held || model.unresolved.is_empty() {
        return html! {};
    }
    let mut codes: Vec<(Blocker, Vec<&Raised>)> = Vec::new();
    for raised in &model.unresolved {
        match codes.iter_mut().find(|(code, _)| *code == raised.code) {
            Some((_, all)) => all.push(raised),
            None => codes.push((raised.code, vec![raised])),
        }
    }
    let action = model.next.as_ref().map(|next| next.action.plain());
    html! {
        div.urgent {
            ul.blockers {
                @for (code, all) in codes.iter().take(FIRST) {
                    li class=(if code.severity() == Severity::S1 { "blocker is-no-go" } else { "blocker is-held" }) {
                        p.what { (chip(*code)) " " @if let Some(first) = all.first() { (value(&first.subject)) }
                            @if all.len() > 1 { " and " (all.len() - 1) " more" } }
                        p { (code.rule()) }
                        p { b { "Remedy: " } (code.remedy()) "." }
                    }
                }
            }
            @if codes.len() > FIRST { p { (count(codes.len() - FIRST, "more code blocks", "more codes block")) " the run." } }
            p.then {
                @match action.as_deref() {
                    Some("RESUME") => { b { "Then resume the same run." } },
                    Some("START_ANEW") => { b { "Then start a new run." } " This one is over." },
                    _ => {},
                }
                " " a href="#next" { "What was seen, and how to go on" }
            }
        }
    }
}

fn counts(model: &Model) -> Markup {
    let counts = model.counts;
    html! {
        ul.counts aria-label="What was checked" {
            li { b { (grouped(counts.objects as u64)) } " objects" }
            li { b { (grouped(counts.hashes as u64)) } " hashes compared with bytes" }
            li { b { (grouped(counts.closures as u64)) } " closures walked" }
            li { b { (grouped(counts.named_not_mirrored as u64)) } " named in other buckets" }
            li { b { (grouped(model.remarks.len() as u64)) } (if model.remarks.len() == 1 { " finding" } else { " findings" }) }
        }
    }
}

fn stated(model: &Model) -> Markup {
    let intact = is_intact(model.standing);
    let Some(stated) = &model.stated else {
        return html! { p.stated { "The directory holds no verdict that can be read." } };
    };
    if model.ended_before.is_some() {
        return html! {
            p.stated { "The last verdict of the run is " strong { (stated.verdict) } ", of " time datetime=(stated.stamp) { (stated.stamp) } "." }
        };
    }
    let own = model.executions.iter().find(|execution| execution.own);
    let committed = own.and_then(|execution| match execution.ending {
        Ending::Advance(number) | Ending::Hold(number) => Some(number),
        _ => None,
    });
    html! {
        p.stated {
            @if intact { "Verdict " } @else { "The directory " em { "claims" } " the verdict " }
            strong { (stated.verdict) }
            @if let Some(adjudication) = stated.adjudication { ", adjudicated " strong { (adjudication) } }
            @match committed {
                Some(number) => { ", committed as record " (number) " of the ledger" }
                None => { ", not in a ledger" }
            }
            "; execution of " time datetime=(stated.stamp) { (stated.stamp) } "."
            @if intact && model.verdict.is_none() { " No verdict counts." }
        }
    }
}

/// The section about the signature: how far it can be trusted, which key made it, and which files hold it.
fn signature(model: &Model) -> Markup {
    let signed = &model.signature;
    let (mark, word, meaning) = match signed.state {
        SignatureState::Unsigned => (
            Mark::NotReached,
            "UNSIGNED",
            "Nothing vouches for who wrote this directory: whoever can rewrite all of it can make another whole run of it.",
        ),
        SignatureState::Signed => (
            Mark::Unknown,
            "SIGNED",
            "The signature is valid under the key that lies beside it. Whose key that is, nothing in the directory can tell: give \
             the key that you trust with --key.",
        ),
        SignatureState::Verified => (
            Mark::Pass,
            "VERIFIED",
            "The signature is valid under a key that was given.",
        ),
        SignatureState::OtherKey => (
            Mark::Alarm,
            "OTHER KEY",
            "The signature is valid under the key that lies beside it, which is none of the keys that were given.",
        ),
        SignatureState::Contradicted => (
            Mark::Alarm,
            "CONTRADICTED",
            "The signature is valid in itself, and the evidence beside it was changed or contradicts itself.",
        ),
        SignatureState::Invalid => (
            Mark::Alarm,
            "INVALID",
            "The signature is not whole, not valid, or says something else than the evidence.",
        ),
    };
    html! {
        div.signature {
            h2 { "Signature" }
            p {
                (mark.with(word)) " " (meaning)
                @if signed.state != SignatureState::Verified && !model.ledger.is_empty() {
                    " Hold the COMMITTED record against the bucket's: " a href="#check" { "check it yourself" } "."
                }
            }
            @if let Some(keyid) = &signed.keyid { (facts([("key, SHA-256", value(keyid))])) }
            @if !signed.files.is_empty() {
                details {
                    summary { (count(signed.files.len(), "file", "files")) " of signatures" }
                    (objects(&signed.files))
                }
            }
        }
    }
}

/// The problems that `verify` found. Empty if there are none.
pub(super) fn findings(model: &Model) -> Markup {
    if model.remarks.is_empty() {
        return html! {};
    }
    let (_, _, mark) = sign(model.standing);
    let body = html! {
        p.warning {
            (mark.inline())
            span { strong { "Everything below is what the directory says, not what is so." }
                " Keep the directory as it is, and get another copy from the evidence bucket." }
        }
        (remarks(&format!("{}; begin with the first", count(model.remarks.len(), "finding", "findings")), &model.remarks))
    };
    section("findings", "What is wrong", body)
}

/// Findings by object, in the order in which the objects first occur.
pub(super) fn remarks(caption: &str, remarks: &[Remark]) -> Markup {
    let mut objects: Vec<(&Remark, Vec<&Remark>)> = Vec::new();
    let mut places: BTreeMap<&Text, usize> = BTreeMap::new();
    for remark in remarks {
        match places.get(&remark.subject).and_then(|at| objects.get_mut(*at)) {
            Some((_, all)) => all.push(remark),
            None => {
                places.insert(&remark.subject, objects.len());
                objects.push((remark, vec![remark]));
            }
        }
    }
    table(
        caption,
        &["Object", "Grade", "What is wrong"],
        objects.into_iter().map(|(first, all)| {
            let worst = all.iter().map(|remark| remark.grade).min().unwrap_or(first.grade);
            vec![
                Cell::head(value(&first.subject)),
                Cell::from(grade(worst)),
                Cell::from(html! { ul.wrongs { @for remark in all { li { (remark.detail) } } } }),
            ]
        }),
    )
}

/// The mark and word of a grade.
fn grade(grade: Grade) -> Markup {
    match grade {
        Grade::Tampered => Mark::Alarm.with("tampered"),
        Grade::OtherKey => Mark::Unknown.with("other key"),
        Grade::Incomplete => Mark::Unknown.with("incomplete"),
    }
}

/// The blockers of the run, and what to do about them.
pub(super) fn hold(model: &Model) -> Markup {
    if model.next.is_none() && model.unresolved.is_empty() {
        return html! {};
    }
    let body = html! {
        @if !model.unresolved.is_empty() {
            p { (count(model.unresolved.len(), "blocker is", "blockers are")) " unresolved." }
            (blockers(&model.unresolved, 3))
        }
        @if let Some(next) = &model.next { (action(next)) }
    };
    section("next", "What to do next", body)
}

fn action(next: &Next) -> Markup {
    let word = next.action.plain();
    html! {
        div.action {
            h3 { "Next action: " (next.action) }
            p {
                @match word.as_str() {
                    "RESUME" => "Mend the cause, not the evidence. Then go on with the same run: it keeps its ids, and the steps that passed are not run again.",
                    "START_ANEW" => "The run is over. Mend the cause and start a new execution from the M2 receipt; it gets another run id.",
                    _ => "The directory names an action that P1 does not know.",
                }
            }
            @if !next.remedies.is_empty() {
                ul.remedies { @for (code, remedy) in &next.remedies { li { (chip(*code)) span { (remedy) } } } }
            }
            @if let Some(held) = &next.held {
                p { "From a terminal, with the reset receipt below as " code { "reset.json" } ":" }
                pre tabindex="0" role="region" aria-label="Command that resumes the run" {
                    code { "cargo p1 resume --held " (held.for_shell().unwrap_or("KEY")) " --reset reset.json --actor NAME" }
                }
                @if held.for_shell().is_none() { (facts([("KEY", value(held))])) }
            }
            @if let Some(reset) = &next.reset {
                details {
                    summary { "Reset receipt, for " code { "reset.json" } }
                    pre tabindex="0" role="region" aria-label="Reset receipt" { code { (reset) } }
                }
            }
            @for (at, (name, input)) in next.inputs.iter().enumerate() {
                details open[at == 0] {
                    summary { (name) ", for " em { "New execution" } " in the console" }
                    pre tabindex="0" role="region" aria-label=(name) { code { (input) } }
                }
            }
            @if let Some(effect) = &next.only_effect { p { (effect) } }
        }
    }
}

/// The code of a blocker, with its severity as a word and a shape.
fn chip(code: Blocker) -> Markup {
    let mark = if code.severity() == Severity::S1 {
        Mark::NoGo
    } else {
        Mark::Held
    };
    html! { span class={ "chip " (mark.class()) } { (mark.inline()) b { (code.code()) } } }
}

/// Blockers as cards, with headings of `level`.
pub(super) fn blockers(blockers: &[Raised], level: u8) -> Markup {
    html! {
        ul.blockers {
            @for blocker in blockers {
                li class=(if blocker.is_no_go() { "blocker is-no-go" } else { "blocker is-held" }) {
                    @let head = html! { (chip(blocker.code)) " " span { (blocker.code.rule()) } };
                    @if level == 3 { h3 { (head) } } @else { h4 { (head) } }
                    (facts([
                        ("severity", html! { @if blocker.is_no_go() { "S1 no-go" } @else { "S2 remediate" } }),
                        ("phase code", html! { code { (blocker.code.phase_code()) } }),
                        ("subject", value(&blocker.subject)),
                        ("seen", html! { (blocker.detail) }),
                        ("remedy", html! { (blocker.code.remedy()) }),
                    ]))
                }
            }
        }
    }
}
