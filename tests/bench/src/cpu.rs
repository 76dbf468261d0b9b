//! CPU time, exact: user and system together, all threads, in nanoseconds.
//!
//! A process has a clock that the kernel adds each of its threads' time on a CPU to, those that have ended among them. It
//! is read for a process that we watch, and once more before that ends; what a shell and its children used is asked of the
//! kernel when they were waited for. Ticks of `/proc/<pid>/stat` are 10 ms, and too coarse for what is measured here.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::error::BenchError;

/// What the process has used since it started.
///
/// # Errors
/// When there is no such process any more: then nobody can say.
pub fn of_process(pid: u32) -> Result<Duration, BenchError> {
    let operation = || format!("read the CPU clock of process {pid}");
    let raw = i32::try_from(pid).map_err(|e| BenchError::failed(operation(), &e))?;
    let time = clock_getcpuclockid(Pid::from_raw(raw))
        .and_then(clock_gettime)
        .map_err(|e| BenchError::failed(operation(), &e))?;
    Ok(Duration::from(time))
}

/// What all processes used that this one has waited for, and that those had waited for.
///
/// # Errors
/// When the kernel does not say.
pub fn of_ended_children() -> Result<Duration, BenchError> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| BenchError::failed("ask what children used", &e))?;
    let part = |time: nix::sys::time::TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    Ok(part(usage.user_time()) + part(usage.system_time()))
}

/// The most memory that the process ever held, in bytes (`VmHWM`).
///
/// # Errors
/// When there is no such process any more.
pub fn peak_memory(pid: u32) -> Result<u64, BenchError> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).map_err(BenchError::io(format!("read {path}")))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| BenchError::wrong(format!("read {path}"), "it has no line VmHWM"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_and_one_that_sleeps_uses_none() {
        let own = std::process::id();
        let before = of_process(own).unwrap();
        let mut sum = 0_u64;
        while of_process(own).unwrap() < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let mut sleeper = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        assert!(of_process(sleeper.id()).unwrap() < Duration::from_secs(5));
        assert!(peak_memory(sleeper.id()).unwrap() > 1024);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(of_process(sleeper.id()).is_err());
    }

    #[test]
    fn a_shell_and_its_children_are_counted_when_they_have_ended() {
        let before = of_ended_children().unwrap();
        let status = std::process::Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'"])
            .status()
            .unwrap();
        assert!(status.success());
        assert!(of_ended_children().unwrap() > before);
    }
}
