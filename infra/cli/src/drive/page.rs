//! The result of a run for people: what blocks comes first, then the run's ids, its steps, and what to do next. No line that can
//! be broken is wider than 80 columns.

use std::collections::BTreeMap;
use std::fmt::Write;

use p1_audit::history::TaskRun;
use p1_audit::text;
use p1_contract::blocker::{Blocker, Finding, Severity};
use p1_contract::step::Step;
use serde_json::Value;

use crate::drive::follow::Execution;
use crate::drive::target::Afterwards;
use crate::drive::verdict::{DONE, Fault, Outcome, word};
use crate::paint::Paint;
use crate::shell;
use crate::wrap::{block, hanging};

/// The findings of each phase execution.
pub type Findings = BTreeMap<String, Vec<Finding>>;

/// The largest number of subjects that are listed under one code.
const SUBJECTS: usize = 20;

/// An execution that has ended, with everything that its page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The execution.
    pub execution: &'a Execution,
    /// What its end means.
    pub outcome: &'a Outcome,
    /// The findings of its steps.
    pub findings: &'a Findings,
    /// The variables of an admitted phase.
    pub environment: Option<&'a BTreeMap<String, String>>,
    /// The folder of the copied evidence.
    pub evidence_dir: Option<&'a str>,
    /// What becomes of the platform.
    pub afterwards: &'a Afterwards,
    /// The execution that has worked on the run since, if there is one: what this one says of going on is of before.
    pub later: Option<&'a str>,
}

impl Page<'_> {
    /// The text.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let blocking = Blocking::of(self.execution, self.findings);
        let mut page = headline(self.outcome, paint);
        page.push('\n');
        for group in &blocking {
            group.write(&mut page, paint);
        }
        if let Outcome::Fault(fault) = self.outcome {
            fault_block(&mut page, fault, paint);
        }
        page.push('\n');
        self.ids(&mut page);
        page.push('\n');
        step_rows(&mut page, self.execution, self.outcome, paint);
        page.push('\n');
        let codes: Vec<Blocker> = blocking.iter().map(|group| group.code).collect();
        page.push_str(&self.next(&codes));
        page
    }

    /// The ids of the run, and the name of the execution. A digest after the longest name fills 80 columns.
    fn ids(&self, page: &mut String) {
        let run = self.execution.history.ids();
        let name = self.execution.arn.rsplit(':').next().map(str::to_owned);
        let ids = [
            ("platform_run_id", run.platform_run_id.map(String::from)),
            ("scenario_run_id", run.scenario_run_id.map(String::from)),
            ("config_digest", run.config_digest.map(String::from)),
            ("execution", name),
        ];
        for (name, id) in ids {
            let _ = writeln!(page, "{name:<15} {}", text::clean(id.as_deref().unwrap_or("—")));
        }
        for (name, value) in self.environment.into_iter().flatten() {
            let _ = writeln!(page, "{:<15} {name}={value}", "environment");
        }
    }

    /// What to do next, with commands that can be pasted.
    fn next(&self, codes: &[Blocker]) -> String {
        let said = match self.outcome {
            Outcome::Advance => return self.checks(),
            Outcome::Hold | Outcome::SingleState(false) if needs_new_start(codes) => {
                "mend what is named above, then start anew: this run is over"
            }
            Outcome::Hold | Outcome::SingleState(false) => {
                return self.resume("mend what is named above, then resume the same run");
            }
            Outcome::SingleState(true) => return self.resume("resume the whole run"),
            Outcome::DuplicateDelivery => "nothing; look at the execution that has the handoff",
            Outcome::RerunRefused => "mend what is named above, then ask for the rerun again, or start anew",
            Outcome::PhaseAdmitted => "start the phase with this environment, and carry the ids in its events",
            Outcome::EntryRefused => "do what is named above, then ask again",
            Outcome::EvidenceBroken(_) => {
                "look into each problem, and do not rely on this run before its evidence is whole"
            }
            Outcome::Fault(fault) => match fault.failure.error.as_str() {
                "InvalidInput" => "mend the input that the message names, then start anew",
                "Transient" => {
                    "wait until the service that the message names answers, then redrive the execution or start anew"
                }
                _ => {
                    "look at the function's log for this execution; when the cause is gone, redrive the execution or start anew"
                }
            },
        };
        block(&format!("Next: {said}."), 0)
    }

    /// The commands that show and check a pinned run.
    fn checks(&self) -> String {
        let dir = self.evidence_dir.map_or_else(|| "DIR".to_owned(), word_of);
        format!(
            "Next: M4 may start. See what was pinned, and check it:\n\ncargo p1 report --open {dir}\ncargo p1 verify {dir}\n\n"
        )
    }

    /// How to resume the run from the last summary that it published.
    fn resume(&self, what: &str) -> String {
        if let Some(later) = self.later {
            let name = word_of(later.rsplit(':').next().unwrap_or(later));
            return block(
                &format!(
                    "Next: another execution has worked on this run since, and says how to go on: cargo p1 fetch {name} --out DIR"
                ),
                0,
            );
        }
        let closures = self.execution.history.closures().into_iter();
        let mut gated =
            closures.filter(|closure| closure.step.as_step().is_some_and(|step| Step::GATED.contains(&step)));
        let Some(held) = gated.next_back() else {
            return block("Next: mend what is named above, then start anew.", 0);
        };
        let stack = match self.afterwards {
            Afterwards::Up => String::new(),
            Afterwards::Stack(name) => format!(" --stack {}", word_of(name)),
            Afterwards::Stopped => {
                return block(
                    "Next: mend what is named above, then run again with --keep. This run cannot be resumed: its local platform is \
                     stopped, and the run with it.",
                    0,
                );
            }
        };
        let mut text = block(&format!("Next: {what}."), 0);
        let _ = writeln!(
            text,
            "\necho '{{\"reason\":\"TO_FILL\",\"class\":\"service_runtime_reset\",\"scope\":\"TO_FILL\"}}' \\\n  > reset.json\n\
             cargo p1 resume --actor TO_FILL --reset reset.json --registry MENDED.md{stack} \\\n  --held {}\n",
            held.phase_execution_id
        );
        text.push_str(&block(
            "Say who you are, why, and what is reset instead of TO_FILL, which is refused. Leave --registry out if the registry need not be mended.",
            0,
        ));
        text
    }
}

/// One code that a step raised, with everything that it was raised about.
struct Blocking<'a> {
    code: Blocker,
    /// Empty if the step's summary could not be read.
    findings: Vec<&'a Finding>,
}

impl<'a> Blocking<'a> {
    /// The blockers of the admission and of all steps, in order; each code once in a step.
    fn of(execution: &'a Execution, findings: &'a Findings) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for result in execution.history.answers() {
            let own = findings.get(result.phase_execution_id.as_str());
            let mut codes: Vec<Blocker> = Vec::new();
            let found = own.into_iter().flatten().map(|finding| finding.code);
            for code in result.blockers.iter().copied().chain(found) {
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
            groups.extend(codes.into_iter().map(|code| {
                Self {
                    code,
                    findings: own
                        .into_iter()
                        .flatten()
                        .filter(|finding| finding.code == code)
                        .collect(),
                }
            }));
        }
        groups
    }

    /// The code with its rule, each subject with what was seen, and the remedy once.
    fn write(&self, page: &mut String, paint: Paint) {
        let code = self.code.code();
        let mut lines = vec![String::new()];
        let label = format!("  {}  ", paint.red(code));
        lines.extend(hanging(&label, &text::clean(self.code.rule()), 10));
        for finding in self.findings.iter().take(SUBJECTS) {
            let (subject, detail) = (text::clean(&finding.subject), text::clean(&finding.detail));
            lines.extend(hanging("    ", &format!("- {subject}: {detail}"), 6));
        }
        for line in lines {
            let _ = writeln!(page, "{line}");
        }
        if let Some(more) = self.findings.len().checked_sub(SUBJECTS).filter(|more| *more > 0) {
            let _ = writeln!(page, "    - and {more} more: the step's summary has them all");
        }
        page.push_str(&block(&format!("remedy: {}", text::clean(self.code.remedy())), 4));
    }
}

fn fault_block(page: &mut String, fault: &Fault, paint: Paint) {
    let state = text::clean(fault.state.as_deref().unwrap_or("the start"));
    let _ = writeln!(page, "\n  {} at {state}", paint.red(&text::clean(&fault.failure.error)));
    page.push_str(&block(&text::brief(&cause(&fault.failure.cause), 2000), 4));
}

/// The rows of the steps in order. The admission of a rerun, or of a phase, comes first.
fn step_rows(page: &mut String, execution: &Execution, outcome: &Outcome, paint: Paint) {
    let tasks = &execution.history.tasks;
    for task in tasks.iter().filter(|task| task.step.is_none()) {
        task_row(page, task, tasks, paint);
    }
    // In a rerun, an earlier execution closed the steps before the first one. Only a verdict shows which steps were not reached.
    let is_whole = matches!(outcome, Outcome::Advance | Outcome::Hold) && tasks.iter().all(|task| task.step.is_some());
    for step in Step::ALL {
        match tasks.iter().find(|task| task.step == Some(step)) {
            Some(task) => task_row(page, task, tasks, paint),
            None if is_whole => {
                let _ = writeln!(page, "  {:<27}  {}", step.state_name(), paint.dim("not run"));
            }
            None => {}
        }
    }
}

fn task_row(page: &mut String, task: &TaskRun, all: &[TaskRun], paint: Paint) {
    let state = text::brief(&task.state, 60);
    let word = word(task, all);
    let pass = task.result.as_ref().is_some_and(|result| result.overall_pass);
    let painted = if word == DONE {
        paint.dim(word)
    } else {
        paint.verdict(word, pass)
    };
    let _ = match &task.result {
        None => writeln!(page, "  {state:<27}  {}", painted),
        Some(result) => writeln!(
            page,
            "  {state:<27}  {}{} {:>5.1} s  {}",
            painted,
            " ".repeat(4_usize.saturating_sub(word.len())),
            task.seconds,
            paint.dim(result.phase_execution_id.as_str())
        ),
    };
}

fn headline(outcome: &Outcome, paint: Paint) -> String {
    let (word, meaning) = match outcome {
        Outcome::Advance => (paint.green("ADVANCE_TO_M4"), "the run is pinned"),
        Outcome::Hold => (paint.red("HOLD_M3"), "the run is held"),
        Outcome::DuplicateDelivery => (
            paint.bold("DUPLICATE_DELIVERY"),
            "another execution has this M2 handoff",
        ),
        Outcome::SingleState(true) => (paint.green("SINGLE_STATE"), "the state passed; nothing was committed"),
        Outcome::SingleState(false) => (paint.red("SINGLE_STATE"), "the state is blocked; nothing was committed"),
        Outcome::RerunRefused => (
            paint.red("RERUN_REFUSED"),
            "the rerun was not admitted; the run is as it was",
        ),
        Outcome::PhaseAdmitted => (
            paint.green("PHASE_ADMITTED"),
            "the run is pinned; a later phase may work on it",
        ),
        Outcome::EntryRefused => (paint.red("ENTRY_REFUSED"), "no later phase may work on the run"),
        Outcome::Fault(_) => (paint.red("FAULT"), "no verdict was reached"),
        Outcome::EvidenceBroken(said) => {
            let word = paint.bold(&paint.red("FAULT"));
            return format!("{word}  the execution said {said},\n  but its evidence could not be copied whole");
        }
    };
    format!("{}  {meaning}", paint.bold(&word))
}

/// The message of a Lambda error. Other causes stay as they are.
fn cause(cause: &str) -> String {
    let document: Value = serde_json::from_str(cause).unwrap_or(Value::Null);
    document
        .get("errorMessage")
        .and_then(Value::as_str)
        .map_or_else(|| cause.to_owned(), str::to_owned)
}

/// Whether the run cannot be resumed: it is a no-go, or it was held before the first step at which a rerun can begin.
fn needs_new_start(codes: &[Blocker]) -> bool {
    codes
        .iter()
        .any(|code| code.severity() == Severity::S1 || code.step() < Step::ConfigDigest)
}

/// A word of a printed command.
fn word_of(name: &str) -> String {
    shell::word(&text::clean(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::engine_events::{answer, task};
    use crate::drive::report::RunResult;
    use crate::drive::tests::{execution, failed, finding, held};
    use crate::drive::verdict;
    use crate::scratch::says;
    use crate::wrap::COLUMNS;
    use p1_audit::history::History;
    use serde_json::json;

    fn held_by(step: Step, code: &str) -> Execution {
        let rollup = (Step::GateRollup, answer("M3.I", &[]));
        execution(&[(step, answer(step.id(), &[code])), rollup], held(code))
    }

    /// What is said of a hold of which no finding could be read.
    fn hold(step: Step, code: &str, afterwards: &Afterwards) -> String {
        shown(&held_by(step, code), &Findings::new(), afterwards)
    }

    fn shown(execution: &Execution, findings: &Findings, afterwards: &Afterwards) -> String {
        let (outcome, _) = verdict::read(&execution.history, &execution.ending);
        let page = Page {
            execution,
            outcome: &outcome,
            findings,
            environment: None,
            evidence_dir: Some("/e"),
            afterwards,
            later: None,
        };
        page.text(Paint::none())
    }

    #[test]
    fn a_hold_says_first_what_blocks_and_each_remedy_once() {
        let code = Blocker::HandleUnresolved;
        let mut all: Vec<Finding> = (0..7)
            .map(|n| finding(code, &format!("ROLE_{n}"), &"is TO_PIN ".repeat(20)))
            .collect();
        all.push(finding(code, "ROLE_X\u{1b}[2J", "is\nTO_PIN"));
        let findings = Findings::from([("m3a_20261122T120000Z_0123456789ab".to_owned(), all)]);
        let page = shown(&held_by(Step::HandleClosure, code.code()), &findings, &Afterwards::Up);
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        assert!(place("HOLD_M3") < place(code.code()) && place("- ROLE_0: is TO_PIN") < place("remedy: "));
        assert!(place("remedy: ") < place("platform_run_id"));
        for once in [code.code(), "remedy: "] {
            assert_eq!(page.matches(once).count(), 1, "{once}: {page}");
        }
        says(
            &page,
            &["- ROLE_X[2J: is TO_PIN", "M3.B Run identity            not run"],
        );
        assert!(!page.contains('\u{1b}') && !page.contains('…'), "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= COLUMNS), "{page}");
    }

    #[test]
    fn a_run_that_went_on_elsewhere_is_not_resumed_from_here() {
        let execution = held_by(Step::CostEnvelope, "M3H-B7");
        let page = Page {
            execution: &execution,
            outcome: &Outcome::Hold,
            findings: &Findings::new(),
            environment: None,
            evidence_dir: Some("/e"),
            afterwards: &Afterwards::Up,
            later: Some("arn:aws:states:eu-west-2:123456789012:execution:machine:p1-later"),
        };
        let text = page.text(Paint::none());
        says(&text, &["cargo p1 fetch p1-later --out DIR"]);
        assert!(!text.contains("--held"), "{text}");
    }

    #[test]
    fn a_refused_rerun_says_why() {
        let code = Blocker::from_code("M3G-B2").unwrap();
        let mut refusal = answer("M3.G", &[code.code()]);
        refusal["outcome"] = json!("REFUSED");
        let owner = json!("ADMISSION");
        (refusal["step"], refusal["closure"]["step"]) = (owner.clone(), owner);
        let mut events = task(Step::RerunDiscipline, &refusal, 0.0);
        for event in &mut events {
            for details in ["stateEnteredEventDetails", "stateExitedEventDetails"] {
                if event[details].is_object() {
                    event[details]["name"] = json!("Admit rerun");
                }
            }
        }
        let cause = json!({"outcome": "RERUN_REFUSED", "blockers": [code.code()]});
        let refused = Execution {
            history: History::read(&events),
            ..execution(&[], failed("M3.RerunRefused", &cause))
        };
        let id = refusal["phase_execution_id"].as_str().unwrap().to_owned();
        let findings = Findings::from([(id, vec![finding(code, "class", "is none")])]);
        let page = shown(&refused, &findings, &Afterwards::Up);
        says(&page, &["M3G-B2", "- class: is none"]);
        let result = RunResult::new(&refused, &Outcome::RerunRefused, &Value::Null, &findings, None, &[]);
        let object = result.json().unwrap();
        assert_eq!(object["blockers"][0]["subject"], "class", "{object}");
    }

    #[test]
    fn a_step_that_judges_a_held_run_is_not_said_to_pass() {
        let page = hold(Step::HandleClosure, "M3A-B2", &Afterwards::Up);
        assert!(page.contains("M3.I Gate rollup             DONE "), "{page}");
    }

    #[test]
    fn without_findings_the_rule_and_the_remedy_are_said() {
        let page = hold(Step::HandleClosure, "M3A-B2", &Afterwards::Up);
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        let code = Blocker::HandleUnresolved;
        says(&flat, &[code.remedy(), code.rule()]);
    }

    #[test]
    fn only_a_run_that_can_be_resumed_is_said_to_be_and_only_where_it_still_is() {
        for (step, code) in [(Step::HandleClosure, "M3A-B2"), (Step::RunPublication, "M3E-B3")] {
            let page = hold(step, code, &Afterwards::Up);
            says(&page, &["start anew"]);
            assert!(!page.contains("cargo p1 resume"), "{page}");
        }
        let of_cost = |afterwards| hold(Step::CostEnvelope, "M3H-B7", &afterwards);
        let up = of_cost(Afterwards::Up);
        says(&up, &["--held m3h_20261122T120000Z_0123456789ab\n"]);
        assert!(!up.contains("--keep"), "{up}");
        assert!(up.lines().all(|line| line.chars().count() <= COLUMNS), "{up}");
        let stopped = of_cost(Afterwards::Stopped);
        says(&stopped, &["run again with --keep"]);
        assert!(!stopped.contains("--held"), "{stopped}");
        says(
            &of_cost(Afterwards::Stack("a stack".to_owned())),
            &[" --stack 'a stack' "],
        );
    }

    #[test]
    fn a_fault_names_state_error_and_the_whole_cause() {
        let long = format!("`m2_handoff.key` has `..` {}the end", "and more ".repeat(60));
        let execution = execution(&[], failed("InvalidInput", &json!({"errorMessage": long})));
        let page = shown(&execution, &Findings::new(), &Afterwards::Up);
        says(
            &page,
            &["InvalidInput", "`m2_handoff.key` has `..`", "the end", "mend the input"],
        );
    }
}
