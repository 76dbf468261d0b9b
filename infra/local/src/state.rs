//! The state file of a platform that was left running: `.p1/platform.json`.

use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::checkout::write_atomically;
use crate::deployment::Deployment;
use crate::engine::{Engine, EngineIdentity};
use crate::error::PlatformError;
use crate::options::PlatformOptions;
use crate::profile::Profile;

/// The known facts of a running platform. `up` and `run --keep` write the file; all other commands read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) schema_version: u32,
    pub(super) engine: EngineIdentity,
    pub(super) profile: Profile,
    pub(super) wait_scale: Option<f64>,
    pub(super) deployment: Deployment,
}

/// The version of the file's shape. Files of other versions are not read.
const SCHEMA_VERSION: u32 = 1;

impl State {
    pub(super) fn new(engine: &Engine, options: &PlatformOptions, deployment: Deployment) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            engine: engine.identity().clone(),
            profile: options.profile.clone(),
            wait_scale: options.wait_scale,
            deployment,
        }
    }

    /// The state file's content. Returns `None` if there is no file.
    pub(super) fn read(checkout: &Checkout) -> Result<Option<Self>, PlatformError> {
        let path = checkout.state_file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PlatformError::file("read", &path)(error)),
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(state) if state.schema_version == SCHEMA_VERSION => Ok(Some(state)),
            outcome => {
                let why = outcome
                    .err()
                    .map_or_else(|| "another schema version".to_owned(), |error| error.to_string());
                Err(PlatformError::Conflict(format!(
                    "the state file {} is not one of this version ({why}); end the engine that it names by its pid, then \
                     delete the file",
                    path.display()
                )))
            }
        }
    }

    pub(super) fn write(&self, checkout: &Checkout) -> Result<(), PlatformError> {
        let path = checkout.state_file();
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| PlatformError::api("serialise the platform's state", &error))?;
        write_atomically(&path, format!("{text}\n").as_bytes())
    }

    pub(super) fn remove(checkout: &Checkout) -> Result<(), PlatformError> {
        let path = checkout.state_file();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(PlatformError::file("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }
}
