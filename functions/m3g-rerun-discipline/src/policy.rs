//! The rules of reruns and resets, as they stand in evidence, and the reset receipt held against them.

use p1_contract::artifacts::{ResetClass, ResetClassMatrix};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::ids::Stamp;
use p1_contract::input::{ResetReceipt, is_to_fill};

/// What happens when identity or configuration drifts.
pub const IDENTITY_DRIFT_POLICY: &str = "new_platform_run_id_required";

/// The reset classes that need no approval.
pub const PERMITTED_RESET_CLASSES: [&str; 3] = ["service_runtime_reset", "checkpoint_reset", "data_replay_reset"];

/// What is never done to a run, with or without approval.
pub const PROHIBITED_ACTIONS: [&str; 6] = [
    "change_platform_run_id_scenario_run_id_or_config_digest_of_a_run",
    "delete_run_evidence",
    "edit_or_skip_a_ledger_record",
    "overwrite_run_evidence",
    "resume_after_no_go_reset_required",
    "resume_while_another_execution_holds_the_run",
];

/// What a reset outside the classes needs.
pub const FALLBACK_APPROVAL_RULE: &str =
    "a reset outside the permitted classes needs approval.who and approval.blocker, the code of the blocker it is for";

/// What each class allows.
#[must_use]
pub fn reset_class_matrix() -> ResetClassMatrix {
    const SERVICES: &str = "processes and deployments of the services that a step depends on";
    let [service, checkpoint, replay] = PERMITTED_RESET_CLASSES;
    let rows = [
        (service, SERVICES, "run identity, evidence, checkpoints and data"),
        (
            checkpoint,
            "the position from which a service goes on",
            "run identity, evidence and data",
        ),
        (
            replay,
            "derived data, by replaying it from its source",
            "run identity, evidence and source data",
        ),
        ("any other", "what its approval names", "run identity and evidence"),
    ];
    let class = |(class, resets, keeps): (&str, &str, &str)| ResetClass {
        class: class.to_owned(),
        resets: resets.to_owned(),
        keeps: keeps.to_owned(),
        approval_required: !PERMITTED_RESET_CLASSES.contains(&class),
    };
    ResetClassMatrix {
        classes: rows.map(class).into(),
    }
}

/// Holds a reset receipt against the rules: each fault once.
///
/// `M3G-B5` a field is missing, blank or still to be filled in, or `at_utc` is no UTC time; `M3G-B4` the class is not the name of a class at all, so that no approval
/// could be for it; `M3G-B6` the class is outside the permitted ones, and the approval is absent, or lacks who or the
/// code of a blocker.
#[must_use]
pub fn reset_findings(reset: &ResetReceipt) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (field, value) in [
        ("actor", &reset.actor),
        ("reason", &reset.reason),
        ("class", &reset.class),
        ("scope", &reset.scope),
        ("at_utc", &reset.at_utc),
    ] {
        let problem = match value.as_deref() {
            text if is_blank(text) => "is missing or empty",
            Some(text) if is_to_fill(text) => "is still to be filled in: nothing is made up for it",
            Some(text) if field == "at_utc" && !is_utc_time(text) => "is not an RFC 3339 time in UTC",
            _ => continue,
        };
        findings.push(Blocker::ResetReceiptIncomplete.on(format!("reset.{field}"), problem));
    }
    match reset.class.as_deref() {
        Some(class) if is_to_fill(class) || PERMITTED_RESET_CLASSES.contains(&class) => {}
        Some(class) if !is_class_name(class) => findings.push(Blocker::ResetClassNotPermitted.on(
            "reset.class",
            format!(
                "is not the name of a reset class; permitted are {}",
                PERMITTED_RESET_CLASSES.join(", ")
            ),
        )),
        Some(class) => findings.extend(missing_approval(class, reset)),
        None => {}
    }
    findings
}

fn missing_approval(class: &str, reset: &ResetReceipt) -> Option<Finding> {
    let approval = reset.approval.clone().unwrap_or_default();
    let lacking = if reset.approval.is_none() {
        "there is no approval"
    } else if approval.who.as_deref().is_none_or(is_to_fill) {
        "the approval does not say who approved"
    } else if is_blank(approval.blocker.as_deref()) {
        "the approval does not say for which blocker"
    } else if approval
        .blocker
        .as_deref()
        .and_then(|code| Blocker::from_code(code.trim()))
        .is_none()
    {
        "the approval is for a blocker that P1 does not know"
    } else {
        return None;
    };
    Some(Blocker::ResetNotApproved.on(
        "reset.approval",
        format!("`{class}` is outside the permitted classes, and {lacking}"),
    ))
}

fn is_blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

/// `2026-11-22T12:17:01Z`, perhaps with a fraction of a second.
fn is_utc_time(text: &str) -> bool {
    text.ends_with('Z') && Stamp::from_rfc3339_floor(text).is_ok()
}

/// `^[a-z][a-z0-9_]{2,63}$`
fn is_class_name(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use p1_contract::blocker::codes;
    use p1_contract::input::Approval;

    use super::*;

    fn receipt(class: &str) -> ResetReceipt {
        let text = |text: &str| Some(text.to_owned());
        ResetReceipt {
            actor: text("ops@example.com"),
            reason: text("the machine was down"),
            class: text(class),
            scope: text("orchestrator"),
            at_utc: text("2026-11-22T12:17:01Z"),
            approval: None,
        }
    }

    #[test]
    fn permitted_classes_need_no_approval() {
        for class in PERMITTED_RESET_CLASSES {
            assert_eq!(reset_findings(&receipt(class)), []);
        }
    }

    #[test]
    fn other_classes_need_one_with_who_and_blocker() {
        let approved = |who: Option<&str>, blocker: Option<&str>| ResetReceipt {
            approval: Some(Approval {
                who: who.map(str::to_owned),
                blocker: blocker.map(str::to_owned),
            }),
            ..receipt("network_reset")
        };
        assert_eq!(reset_findings(&approved(Some("cto"), Some("M3D-B2"))), []);
        let lacking = [
            receipt("network_reset"),
            approved(None, Some("M3D-B2")),
            approved(Some("cto"), None),
            approved(Some(" "), Some("M3D-B2")),
            approved(Some("cto"), Some("M3D-B99")),
        ];
        for reset in lacking {
            assert_eq!(codes(&reset_findings(&reset)), [Blocker::ResetNotApproved], "{reset:?}");
        }
    }

    #[test]
    fn what_is_no_class_cannot_be_approved() {
        for class in ["Service Runtime Reset", "ab", "9lives", "reset;drop", "é_reset"] {
            let reset = ResetReceipt {
                approval: Some(Approval {
                    who: Some("cto".to_owned()),
                    blocker: Some("M3D-B2".to_owned()),
                }),
                ..receipt(class)
            };
            assert_eq!(
                codes(&reset_findings(&reset)),
                [Blocker::ResetClassNotPermitted],
                "{class}"
            );
        }
    }

    #[test]
    fn every_field_is_needed() {
        let findings = reset_findings(&ResetReceipt::default());
        assert_eq!(findings.len(), 5);
        assert_eq!(codes(&findings), [Blocker::ResetReceiptIncomplete]);
        let blank = ResetReceipt {
            class: Some("  ".to_owned()),
            ..receipt("checkpoint_reset")
        };
        assert_eq!(codes(&reset_findings(&blank)), [Blocker::ResetReceiptIncomplete]);
    }

    #[test]
    fn what_is_still_to_be_filled_in_is_refused_by_name() {
        type Field = fn(&mut ResetReceipt) -> &mut Option<String>;
        for text in [
            "TO_FILL",
            "to_fill: who resumes the run",
            "<who>",
            "TBD",
            "TODO: ask",
            "TO_PIN",
        ] {
            let fields: [(&str, Field); 5] = [
                ("reset.actor", |reset| &mut reset.actor),
                ("reset.reason", |reset| &mut reset.reason),
                ("reset.class", |reset| &mut reset.class),
                ("reset.scope", |reset| &mut reset.scope),
                ("reset.at_utc", |reset| &mut reset.at_utc),
            ];
            for (name, field) in fields {
                let mut reset = receipt("checkpoint_reset");
                *field(&mut reset) = Some(text.to_owned());
                let found = reset_findings(&reset);
                assert_eq!(codes(&found), [Blocker::ResetReceiptIncomplete], "{name} {text}");
                assert_eq!(found[0].subject, name);
            }
        }
    }

    #[test]
    fn an_approval_that_is_still_to_be_filled_in_is_none() {
        for who in ["TO_FILL: who approved", "<who>", "TBD", " "] {
            let reset = ResetReceipt {
                approval: Some(Approval {
                    who: Some(who.to_owned()),
                    blocker: Some("M3D-B2".to_owned()),
                }),
                ..receipt("network_reset")
            };
            assert_eq!(codes(&reset_findings(&reset)), [Blocker::ResetNotApproved], "{who}");
        }
    }

    #[test]
    fn a_receipt_says_when_it_was_made_as_an_instant() {
        let at = |text: &str| {
            let at_utc = Some(text.to_owned());
            codes(&reset_findings(&ResetReceipt {
                at_utc,
                ..receipt("checkpoint_reset")
            }))
        };
        for text in ["2026-11-22T12:17:01Z", "2026-11-22T12:17:01.250Z"] {
            assert_eq!(at(text), [], "{text}");
        }
        for text in [
            "2026-11-22",
            "2026-11-22T12:17:01",
            "2026-11-22T12:17:01+01:00",
            "2026-11-31T12:17:01Z",
            "yesterday",
            "20261122T121701Z",
        ] {
            assert_eq!(at(text), [Blocker::ResetReceiptIncomplete], "{text}");
        }
    }
}
