//! What the machine is that was measured on, as far as it says so.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

/// Time, commit, CPU, memory and load.
#[must_use]
pub fn describe(checkout: &Path) -> Map<String, Value> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu_info = read("/proc/cpuinfo");
    let model = cpu_info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map(|(_, model)| model.trim().to_owned());
    let memory = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let load = read("/proc/loadavg");
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(checkout)
        .output();
    let commit = commit
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let now = jiff::Timestamp::now().to_string();
    let fields = json!({
        "measured_at": now.get(..16).map(|minute| format!("{minute}Z")),
        "commit": commit.unwrap_or_else(|| "an unknown commit".to_owned()),
        "cpus": cpus,
        "cpu": model.unwrap_or_else(|| "unknown".to_owned()),
        "memory_gib": memory.map(|kib| (kib + (1 << 19)) >> 20),
        "load": load.split(' ').next().unwrap_or_default(),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
