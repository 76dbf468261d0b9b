//! Names every blocker that a registry and the documents beside it would hold a run by, before a run is started.
//!
//! The ten steps judge by their own code: they run on a platform in memory that is assumed to be right in everything that no
//! document says. A run ends at the first step that blocks, so the first [`Hold`] has exactly the codes that a run would be held
//! by. Lint then mends what that step named, as an operator would, and lets the steps run again: each further [`Hold`] has the codes
//! that a run would be held by next, once everything before is mended. What a step names is named once, where it is named first.

mod documents;
mod mend;
mod place;
mod platform;
mod report;
mod sarif;
pub mod stack;

pub use documents::{Deployed, Document, Inputs};
pub use report::{Found, Hold, NoVerdict, Report, Standing};
pub use sarif::sarif;

use std::collections::BTreeSet;

use p1_contract::step::Step;

use crate::mend::Mender;
use crate::place::{Located, Locator, Original};
use crate::platform::{Ending, Platform};

/// How often the steps run at most. Each time something else was mended, and the last step that reads the registry comes before that.
const MOST_ROUNDS: usize = 24;

/// Judges the documents. It asks nothing and writes nothing; the same documents and the same day give the same report.
pub async fn lint(inputs: &Inputs) -> Report {
    let mut report = Report::new(inputs);
    let platform = match Platform::assumed(inputs) {
        Ok(platform) => platform,
        Err(fault) => {
            report.faulted(None, Step::HandleClosure, &fault);
            return report;
        }
    };
    let mut mender = Mender::new(inputs, &platform);
    let original = Original::of(inputs);
    let mut named: BTreeSet<String> = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let (step, findings) = match platform.run(&mender.documents).await {
            Ending::Advances => break,
            Ending::Held(step, findings) => (step, findings),
            Ending::Fault(step, fault) => {
                report.faulted(Some(&platform), step, &fault);
                break;
            }
        };
        let locator = Locator::new(step, inputs, &platform, &original, &mender.documents);
        let located: Vec<Located> = findings.into_iter().map(|finding| locator.locate(finding)).collect();
        // A handle that was named before has a value by now that nobody chose.
        let fresh = located.iter().filter(|found| !named.contains(&found.cause()));
        report.held(inputs, &platform, step, fresh);
        named.extend(located.iter().map(Located::cause));
        if !mender.mend(step, &located) {
            break;
        }
    }
    report
}
