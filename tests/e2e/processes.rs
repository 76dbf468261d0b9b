//! The processes in which the engine runs the functions.

use std::path::PathBuf;

use p1_contract::step::Step;
use p1_tests::stage::Stage;
use rustix::process::{Pid, Signal, kill_process};

/// The live processes of a step's function: members of the engine's process group whose environment names it.
pub(crate) fn of_function(stage: &Stage, step: Step) -> Vec<Pid> {
    let suffix = format!("-{}-", step.prefix());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let id = path.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok());
        let Some(pid) = id.and_then(Pid::from_raw) else {
            continue;
        };
        // A process may end while we look at it.
        let (Ok(stat), Ok(environment)) = (
            std::fs::read_to_string(path.join("stat")),
            std::fs::read(path.join("environ")),
        ) else {
            continue;
        };
        // After the command in parentheses: state, parent, group.
        let group = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(2));
        if group != Some(stage.platform.pid().to_string().as_str()) {
            continue;
        }
        let environment = String::from_utf8_lossy(&environment);
        let name = environment
            .split('\0')
            .find_map(|variable| variable.strip_prefix("AWS_LAMBDA_FUNCTION_NAME="));
        if name.is_some_and(|name| name.contains(&suffix)) {
            found.push(pid);
        }
    }
    found
}

/// Signals processes; one that has ended meanwhile does not mind.
pub(crate) fn signal(processes: &[Pid], signal: Signal) {
    for pid in processes {
        let _ = kill_process(*pid, signal);
    }
}
