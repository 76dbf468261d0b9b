//! What a user sees while a run is under way: a live display on a terminal, or plain lines. All of it goes to standard error,
//! because standard output is for results.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use p1_audit::history::{History, TaskRun};
use p1_audit::text;
use p1_contract::step::Step;
use p1_local::progress::Progress;

use crate::drive::verdict::word;
use crate::paint::Paint;
use crate::voice;

/// The time between two frames of the live display.
const TICK: Duration = Duration::from_millis(100);

/// The display of one run.
#[derive(Debug)]
pub struct Screen {
    paint: Paint,
    live: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Option<ProgressBar>,
    bars: Vec<(Step, ProgressBar)>,
    /// The number of ended tasks that were reported.
    told: usize,
    /// The number of failures of the running task that were reported.
    failures: usize,
}

impl Screen {
    /// A display for this process' standard error.
    #[must_use]
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal() && !voice::is_quiet() && !voice::is_verbose();
        Self {
            paint: Paint::of(&std::io::stderr()),
            // A terminal that cannot move its cursor (`TERM=dumb`) gets plain lines.
            live: terminal.then(MultiProgress::new).filter(|live| !live.is_hidden()),
            state: Mutex::default(),
        }
    }

    /// A display without a terminal and without colour.
    #[cfg(test)]
    fn plain() -> Self {
        Self {
            paint: Paint::none(),
            live: None,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints one line of progress, unless the user wants none.
    pub fn line(&self, line: &str) {
        if voice::is_quiet() {
            return;
        }
        match &self.live {
            // If standard error is closed, nobody can be told.
            Some(live) => {
                let _ = live.println(line);
            }
            None => {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }

    /// Shows the progress of the execution.
    pub fn steps(&self, history: &History) {
        let mut state = self.state();
        if let Some(live) = &self.live {
            self.draw(live, &mut state, history);
            return;
        }
        for line in self.news(&mut state, history) {
            self.line(&line);
        }
    }

    /// Removes the live display. The output that follows says how the execution ended.
    pub fn finish(&self) {
        let mut state = self.state();
        let bars = state.bars.drain(..).map(|(_, bar)| bar).collect::<Vec<_>>();
        for bar in bars.into_iter().chain(state.phase.take()) {
            bar.finish_and_clear();
        }
        if let Some(live) = &self.live {
            // If standard error is closed, nobody can be told.
            let _ = live.clear();
        }
    }

    /// Plain lines about everything that happened since the last call.
    fn news(&self, state: &mut State, history: &History) -> Vec<String> {
        let mut lines = Vec::new();
        for task in history.tasks.iter().skip(state.told) {
            for failure in task.failures.iter().skip(state.failures) {
                lines.push(format!(
                    "{:<27} failed: {}",
                    text::clean(&task.state),
                    text::brief(&failure.error, 60)
                ));
                if voice::is_verbose() {
                    lines.push(format!("  {}", text::brief(&failure.cause, 2000)));
                }
            }
            state.failures = task.failures.len();
            if task.result.is_none() {
                break;
            }
            lines.push(self.task_line(task, &history.tasks));
            state.told += 1;
            state.failures = 0;
        }
        lines
    }

    fn draw(&self, live: &MultiProgress, state: &mut State, history: &History) {
        if state.bars.is_empty() {
            state.bars = Step::ALL.into_iter().map(|step| (step, pending(live, step))).collect();
        }
        for task in &history.tasks {
            let Some((_, bar)) = state.bars.iter().find(|(step, _)| Some(*step) == task.step) else {
                continue;
            };
            if bar.is_finished() {
                continue;
            }
            if task.result.is_some() {
                bar.finish_with_message(self.outcome(task, &history.tasks));
            } else {
                let failures = task.failures.len();
                bar.set_message(if failures == 0 {
                    "running".to_owned()
                } else {
                    format!("running, {failures} failed tries")
                });
                bar.enable_steady_tick(TICK);
            }
        }
    }

    fn task_line(&self, task: &TaskRun, all: &[TaskRun]) -> String {
        format!("{:<27} {}", text::clean(&task.state), self.outcome(task, all))
    }

    fn outcome(&self, task: &TaskRun, all: &[TaskRun]) -> String {
        let Some(result) = &task.result else {
            return String::new();
        };
        let blockers: Vec<&str> = result.blockers.iter().map(|blocker| blocker.code()).collect();
        let word = self.paint.verdict(word(task, all), result.overall_pass);
        let blockers = if blockers.is_empty() {
            String::new()
        } else {
            format!("  {}", blockers.join(" "))
        };
        format!("{word}  {:.1} s{blockers}", task.seconds)
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

fn pending(live: &MultiProgress, step: Step) -> ProgressBar {
    let bar = live.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix:<27} {msg}") {
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
    }
    bar.set_prefix(step.state_name());
    bar.tick();
    bar
}

impl Progress for Screen {
    fn begin(&self, phase: &str) {
        let Some(live) = &self.live else {
            self.line(&format!("{phase} …"));
            return;
        };
        let bar = live.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(text::clean(phase));
        bar.enable_steady_tick(TICK);
        let earlier = self.state().phase.replace(bar);
        if let Some(earlier) = earlier {
            earlier.finish_and_clear();
        }
    }

    fn note(&self, note: &str) {
        self.line(&format!("  {}", text::clean(note)));
    }

    fn done(&self, phase: &str, took: Duration) {
        let bar = self.state().phase.take();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        self.line(&format!("{}: done in {:.1} s", text::clean(phase), took.as_secs_f64()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::drive::engine_events::{answer, task};

    #[test]
    fn each_step_is_told_once() {
        let screen = Screen::plain();
        let mut state = State::default();
        let mut events = task(Step::HandleClosure, &answer("M3.A", &[]), 10.0);
        assert_eq!(
            screen.news(&mut state, &History::read(&events)),
            ["M3.A Handle closure         PASS  0.2 s"]
        );
        assert_eq!(screen.news(&mut state, &History::read(&events)), Vec::<String>::new());
        events.extend(task(Step::RunIdentity, &answer("M3.B", &["M3B-B3"]), 11.0));
        assert_eq!(
            screen.news(&mut state, &History::read(&events)),
            ["M3.B Run identity           HOLD  0.2 s  M3B-B3"]
        );
    }

    #[test]
    fn failed_tries_are_told() {
        let screen = Screen::plain();
        let mut state = State::default();
        let events = [
            json!({"type": "TaskStateEntered", "timestamp": 1, "stateEnteredEventDetails": {"name": "M3.B Run identity"}}),
            json!({"type": "TaskFailed", "timestamp": 2, "taskFailedEventDetails": {"error": "Trans\u{1b}[2Jient", "cause": "x"}}),
        ];
        assert_eq!(
            screen.news(&mut state, &History::read(&events)),
            ["M3.B Run identity           failed: Trans[2Jient"]
        );
        assert_eq!(screen.news(&mut state, &History::read(&events)), Vec::<String>::new());
    }
}
