//! The command line, and what it asks for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use p1_local::Functions;
use p1_local::progress::Progress;

use crate::beat::Beat;
use crate::error::BenchError;
use crate::machine;
use crate::parts::Part;
use crate::plan::Plan;
use crate::report::Report;
use crate::setup::Setup;

/// In which profile functions and workers are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BuildProfile {
    /// As for AWS
    Release,
    /// As for tests: quickly built, and several times as slow
    Dev,
}

/// What `cargo p1 bench` understands.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "cargo p1 bench",
    bin_name = "cargo p1 bench",
    about = "Measures what a pinned run costs, how fast it is and how it grows, beside what it replaces.",
    after_help = "Exit status: 0 measured, whether goals are met or not; 2 usage; 3 something that is measured did not work.\n\n\
                  Needs openssl on PATH besides what the README asks for."
)]
pub struct Options {
    /// One pair of each comparison, small sizes and the dev profile: shows in minutes that it can be measured, and no figure that means anything
    #[arg(long)]
    pub quick: bool,
    /// Only these parts; repeatable
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub only: Vec<Part>,
    /// Profile in which functions and workers are built [default: release; with --quick, dev]
    #[arg(long)]
    pub profile: Option<BuildProfile>,
    /// Directory of built functions, named like their packages, instead of building them
    #[arg(long, value_name = "DIR")]
    pub functions: Option<PathBuf>,
    /// File to write everything that was measured to, as JSON
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Put the tables between the markers of docs/performance.md
    #[arg(long)]
    pub page: bool,
    /// Only put the tables of an earlier --out FILE there: nothing is measured
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "only", "functions", "out", "json"])]
    pub page_from: Option<PathBuf>,
    /// Print one JSON object as the last line of standard output, instead of the table
    #[arg(long)]
    pub json: bool,
}

/// What `--quick` leaves out.
const QUICK: &str = "quick: one pair of each comparison, no warm-up by hand, uploads by hand four at once, two small sizes, and the dev profile. The \
                     figures show that it can be measured, and mean nothing";

impl Options {
    /// The profile in which functions and workers are built. To build them as for AWS takes longer than all that `--quick` measures.
    #[must_use]
    pub fn profile(&self) -> BuildProfile {
        self.profile.unwrap_or(if self.quick {
            BuildProfile::Dev
        } else {
            BuildProfile::Release
        })
    }
}

/// Measures what the options ask for. While nothing else is said, what is being measured is repeated every few seconds.
///
/// # Errors
/// When something that is measured does not work. A goal that is missed is no error.
pub async fn measure(options: &Options, progress: &dyn Progress) -> Result<Report, BenchError> {
    let beat = Beat::new(progress);
    beat.during(measured(options, &beat)).await
}

async fn measured(options: &Options, progress: &dyn Progress) -> Result<Report, BenchError> {
    let profile = options.profile();
    if options.quick {
        progress.note(QUICK);
    }
    let plan = if options.quick { Plan::quick() } else { Plan::full() };
    let functions = match (&options.functions, profile) {
        (Some(directory), _) => Functions::Built(directory.clone()),
        (None, BuildProfile::Release) => Functions::Release,
        (None, BuildProfile::Dev) => Functions::Dev,
    };
    let mut setup = Setup::new(plan, functions, progress)?;
    setup.release = profile == BuildProfile::Release;
    let mut report = Report {
        schema_version: 1,
        quick: options.quick,
        profile: if setup.release { "release" } else { "dev" }.to_owned(),
        machine: machine::describe(setup.checkout.root()),
        sections: Vec::new(),
    };
    let parts: Vec<Part> = match options.only.as_slice() {
        [] => Part::value_variants().to_vec(),
        some => some.to_vec(),
    };
    for part in parts {
        let name = format!(
            "measuring {}",
            part.to_possible_value()
                .map_or_else(String::new, |value| value.get_name().to_owned())
        );
        let began = std::time::Instant::now();
        progress.begin(&name);
        report.sections.push(Box::pin(part.measure(&setup)).await?);
        progress.done(&name, began.elapsed());
    }
    setup.stop().await?;
    Ok(report)
}
