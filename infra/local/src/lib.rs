//! The local platform: the engine as a child process, `infra/template.yaml` deployed to it, and what was deployed.

mod bucket;
mod build;
mod checkout;
mod deploy;
mod deployment;
mod engine;
mod error;
mod options;
mod platform;
mod process;
mod profile;
pub mod progress;
pub mod sample;
mod signing;
mod state;
mod tools;

pub use self::build::{Functions, binaries, cargo, programs};
pub use self::checkout::Checkout;
pub use self::deploy::sdk_config;
pub use self::deployment::Deployment;
pub use self::error::PlatformError;
pub use self::options::PlatformOptions;
pub use self::platform::{Found, Gone, Platform, Stack};
pub use self::profile::Profile;
pub use self::signing::Signing;
pub use self::tools::Tools;
