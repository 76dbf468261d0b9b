//! How a local platform is to be started.

use std::collections::BTreeMap;

use crate::build::Functions;
use crate::profile::Profile;
use crate::signing::Signing;

/// How to start a local platform.
#[derive(Debug, Clone)]
pub struct PlatformOptions {
    /// Its account, region and names.
    pub profile: Profile,
    /// How many stack outputs documents the functions are told of; each has its own object ([`Platform::stack_outputs_uris`]).
    pub stack_outputs: usize,
    /// Factor on the waits of the state machine: 0 makes retries immediate. `None` leaves them in real time.
    pub wait_scale: Option<f64>,
    /// Whether the engine holds the functions to the policies of their roles. It cannot evaluate the policies of buckets, so the
    /// buckets are then made before the deployment, and have none.
    pub enforce_roles: bool,
    /// What verdicts are signed with.
    pub signing: Signing,
    /// Which binaries of the functions are deployed.
    pub functions: Functions,
    /// Parameters of the template in place of those that the profile and the above come to.
    pub parameters: BTreeMap<String, String>,
}

impl PlatformOptions {
    /// Options with one stack outputs document, waits in real time, and roles that nobody is held to.
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
