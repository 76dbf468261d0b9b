//! The parts of the benchmark, one file each.

mod cost;
mod crowd;
mod digest;
mod growth;
mod init;
mod joined;
mod listing;
mod minimum;
mod requests;
mod scale;

use clap::ValueEnum;

use crate::error::BenchError;
use crate::report::Section;
use crate::setup::Setup;

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// CPU of a pinned run beside that of the AWS CLI calls that it replaces
    Cost,
    /// CPU until a function waits for its first event, beside an empty handler; sizes of the zips
    Init,
    /// Canonical bytes with SHA-256 beside openssl and Python
    Digest,
    /// Requests to S3 beside the fewest that the contract needs
    Requests,
    /// Wall time of each step beside the same step with its requests one by one
    Joined,
    /// Many runs at once
    Scale,
    /// Time and memory over the size of the registry
    Growth,
    /// Time and memory over the number of other runs in the bucket and of foreign objects below the run's root
    Crowd,
    /// Requests and time of `cargo p1 runs` over the number of pinned runs in the bucket
    Runs,
}

impl Part {
    /// Measures it.
    ///
    /// # Errors
    /// When something that is measured does not work.
    pub async fn measure(self, setup: &Setup<'_>) -> Result<Section, BenchError> {
        match self {
            Part::Cost => cost::measure(setup).await,
            Part::Init => init::measure(setup).await,
            Part::Digest => digest::measure(setup).await,
            Part::Requests => requests::measure(setup).await,
            Part::Joined => joined::measure(setup).await,
            Part::Scale => scale::measure(setup).await,
            Part::Growth => growth::measure(setup).await,
            Part::Crowd => crowd::measure(setup).await,
            Part::Runs => listing::measure(setup).await,
        }
    }
}

/// The spread of what was measured: a part that measured nothing is a defect, and says so.
fn spread(name: &str, values: &[f64]) -> Result<crate::stats::Spread, BenchError> {
    crate::stats::Spread::of(values).ok_or_else(|| BenchError::wrong(format!("measure {name}"), "there is no figure"))
}
