//! Ids, names and amounts as they are written in evidence (contract sections 1 and 4). Each is parsed once, where it comes in;
//! after that its type says what it is.

mod arn;
mod environment;
mod place;
mod principal;
mod run;
mod stamp;
mod usd;

pub use arn::{ExecutionArn, StateMachineArn};
pub use environment::{Environment, below_run_control, environments_of};
pub use place::{BucketName, DeploymentName, HandleKey, S3Key, S3Uri};
pub use principal::IamPrincipalArn;
pub use run::{PhaseExecutionId, PlatformRunId, ScenarioRunId};
pub use stamp::Stamp;
pub use usd::UsdAmount;
