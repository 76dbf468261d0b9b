//! The ten functions, and a run through them: the state machine's way from M3.A to M3.J, without the state machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use p1_contract::request::{Mode, TaskCall};
use p1_contract::step::Step;
use serde_json::{Value, json};

use crate::deployment::{Deployment, Execution};
use crate::error::BenchError;
use crate::host::Function;

/// The ten functions, in the order of the steps.
#[derive(Debug)]
pub struct Fleet {
    functions: Vec<(Step, Function)>,
}

/// A run that ended with an advance.
#[derive(Debug)]
pub struct Run {
    /// The steps.
    pub steps: Vec<StepRun>,
    /// What it pinned.
    pub platform_run_id: String,
    /// From the first invocation to the last result.
    pub wall: Duration,
}

/// One step of a run.
#[derive(Debug)]
pub struct StepRun {
    /// Which.
    pub step: Step,
    /// From the invocation to the result.
    pub wall: Duration,
    /// The result: the closure above all.
    pub result: Value,
}

impl Fleet {
    /// The functions of these binaries (package → file), with `each` processes for every one of them.
    ///
    /// # Errors
    /// When a binary is missing, or a process does not start.
    pub async fn start(
        binaries: &BTreeMap<String, PathBuf>,
        variables: &[(String, String)],
        each: usize,
        logs: &Path,
    ) -> Result<Self, BenchError> {
        let mut functions = Vec::new();
        for step in Step::ALL {
            let (package, binary) = of_step(binaries, step)?;
            functions.push((step, Function::new(package, binary, variables, logs).await?));
        }
        let mut fleet = Fleet { functions };
        for _ in 0..each {
            fleet.add().await?;
        }
        Ok(fleet)
    }

    /// Starts one more process of each function, and gives the CPU time that these took until they waited for work.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn add(&mut self) -> Result<Duration, BenchError> {
        let mut used = Duration::ZERO;
        for (_, function) in &mut self.functions {
            used += function.start().await?;
        }
        Ok(used)
    }

    /// Ends all processes.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn stop(&mut self) -> Result<(), BenchError> {
        for (_, function) in &mut self.functions {
            function.stop().await?;
        }
        Ok(())
    }

    /// What all processes have used since each started.
    ///
    /// # Errors
    /// When one has ended.
    pub fn cpu(&self) -> Result<Duration, BenchError> {
        self.functions.iter().map(|(_, function)| function.cpu()).sum()
    }

    /// The most memory that any process ever held, in bytes.
    ///
    /// # Errors
    /// When one has ended.
    pub fn peak_memory(&self) -> Result<u64, BenchError> {
        let peaks = self.functions.iter().map(|(_, function)| function.peak_memory());
        let peaks: Result<Vec<u64>, BenchError> = peaks.collect();
        Ok(peaks?.into_iter().max().unwrap_or_default())
    }

    fn of(&self, step: Step) -> Result<&Function, BenchError> {
        let found = self.functions.iter().find(|(of, _)| *of == step);
        found
            .map(|(_, function)| function)
            .ok_or_else(|| BenchError::wrong(format!("find {step}"), "there is no such function"))
    }

    /// What the processes of one step have used since each started.
    ///
    /// # Errors
    /// When one has ended.
    pub fn cpu_of(&self, step: Step) -> Result<Duration, BenchError> {
        self.of(step)?.cpu()
    }

    /// Invokes one function, as the state machine does, and gives its result, whatever that says.
    ///
    /// # Errors
    /// When the step fails.
    pub async fn step(
        &self,
        deployment: &Deployment,
        execution: &Execution,
        step: Step,
        mode: Mode,
        closures: &Value,
    ) -> Result<Value, BenchError> {
        let call = TaskCall {
            mode,
            settings: &deployment.settings()?,
            execution: &execution.arn,
            start_time: &execution.start_time,
            state_machine: &deployment.state_machine_arn(),
            state: &step.state_name(),
            closures,
            input: &execution.input,
        };
        self.of(step)?.invoke(&call.payload()).await
    }

    /// Runs an execution from M3.A to M3.J. `after` is told of each step when it has ended.
    ///
    /// # Errors
    /// When a step fails or blocks: what is measured is a run that advances.
    pub async fn run(
        &self,
        deployment: &Deployment,
        execution: &Execution,
        mut after: impl FnMut(Step),
    ) -> Result<Run, BenchError> {
        let begun = Instant::now();
        let mut closures = json!({});
        let mut steps: Vec<StepRun> = Vec::new();
        for (step, _) in &self.functions {
            let asked = Instant::now();
            let result = self.step(deployment, execution, *step, Mode::Step, &closures).await?;
            let wall = asked.elapsed();
            after(*step);
            if result["overall_pass"] != true {
                return Err(BenchError::wrong(
                    format!("pin a run: {step} holds"),
                    format!("{} at {}", result["blockers"], result["closure"]["key"]),
                ));
            }
            closures[step.id()] = result["closure"].clone();
            steps.push(StepRun {
                step: *step,
                wall,
                result,
            });
        }
        let last = steps.last().map(|step| &step.result);
        match last.map(|last| (last["verdict"].as_str(), last["run"]["platform_run_id"].as_str())) {
            Some((Some("ADVANCE_TO_M4"), Some(run))) => Ok(Run {
                platform_run_id: run.to_owned(),
                steps,
                wall: begun.elapsed(),
            }),
            _ => Err(BenchError::wrong("pin a run", format!("it ended with {last:?}"))),
        }
    }
}

/// The binary of a step's function.
///
/// # Errors
/// When there is none.
pub fn of_step(binaries: &BTreeMap<String, PathBuf>, step: Step) -> Result<(&str, &Path), BenchError> {
    let found = binaries
        .iter()
        .find(|(package, _)| package.starts_with(&format!("{}-", step.prefix())));
    found
        .map(|(package, binary)| (package.as_str(), binary.as_path()))
        .ok_or_else(|| BenchError::wrong("find the functions' binaries", format!("there is none of {step}")))
}
