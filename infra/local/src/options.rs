//! Options for starting a local platform.

use std::collections::BTreeMap;

use crate::build::Functions;
use crate::profile::Profile;
use crate::signing::Signing;

/// Options for starting a local platform.
#[derive(Debug, Clone)]
pub struct PlatformOptions {
    /// Its account, region and names.
    pub profile: Profile,
    /// The number of stack outputs documents that the functions read. Each has its own object ([`Platform::stack_outputs_uris`]).
    pub stack_outputs: usize,
    /// Factor on the waits of the state machine: 0 makes retries immediate. `None` keeps the real waits.
    pub wait_scale: Option<f64>,
    /// Whether the engine enforces the policies of the functions' roles. It cannot evaluate the policies of buckets, so the
    /// buckets are then made before the deployment and have no policy.
    pub enforce_roles: bool,
    /// How verdicts are signed.
    pub signing: Signing,
    /// Which binaries of the functions are deployed.
    pub functions: Functions,
    /// Parameters of the template. They replace those that follow from the profile and the fields above.
    pub parameters: BTreeMap<String, String>,
}

impl PlatformOptions {
    /// Options with one stack outputs document, real waits, and roles that are not enforced.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            stack_outputs: 1,
            wait_scale: None,
            enforce_roles: false,
            signing: Signing::default(),
            functions: Functions::Dev,
            parameters: BTreeMap::new(),
        }
    }
}
