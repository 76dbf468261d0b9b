//! The local platform: the engine as a child process, `infra/template.yaml` deployed to it, and what was deployed.
//!
//! [`Platform::start`] sets everything up and returns a running platform. The platform ends when the value is dropped, unless
//! [`Platform::keep`] leaves it running. [`Platform::find`] finds a platform that was left running.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::build::{self, Functions};
use crate::checkout::{self, Checkout};
use crate::deploy;
use crate::deployment::Deployment;
use crate::engine::{Condition, Engine};
use crate::error::PlatformError;
use crate::options::PlatformOptions;
use crate::profile::Profile;
use crate::progress::Progress;
use crate::state::State;
use crate::tools::Tools;

/// One of the stacks that are deployed to an engine.
#[derive(Debug, Clone)]
pub struct Stack {
    profile: Profile,
    deployment: Deployment,
}

/// What is there of a platform that was left running in this checkout.
#[derive(Debug)]
pub enum Found {
    /// It is up.
    Up(Platform),
    /// Its engine is there and does not answer, for this reason. It can be stopped.
    Silent(Platform, String),
    /// Its engine has ended without being stopped.
    Gone(Gone),
    /// There is none.
    Nothing,
}

/// A platform whose engine has ended without being stopped. Shown, it says so and names the engine's log.
#[derive(Debug)]
pub struct Gone {
    why: String,
    checkout: Checkout,
}

impl Gone {
    /// Removes what says that the platform was left running. Starting another one does so too.
    ///
    /// # Errors
    /// Fails with [`PlatformError`] if the state file cannot be removed.
    pub fn forget(&self) -> Result<(), PlatformError> {
        State::remove(&self.checkout)
    }
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

/// A running local platform. Dropping it ends the engine and its functions, unless it was left running.
#[derive(Debug)]
pub struct Platform {
    engine: Engine,
    checkout: Checkout,
    state: State,
}

impl Platform {
    /// Sets up the tools, builds the functions, starts the engine and deploys `infra/template.yaml` to it.
    ///
    /// # Errors
    /// Fails with [`PlatformError`]. Nothing is left running then.
    pub async fn start(options: PlatformOptions, progress: &dyn Progress) -> Result<Self, PlatformError> {
        let checkout = Checkout::default();
        // The functions, and the engine with its tools, do not depend on each other.
        let engine = async {
            let tools = Tools::prepare(&checkout, progress).await?;
            let began = Instant::now();
            progress.begin("starting the engine");
            let engine = Engine::start(&checkout, &tools, &options, progress).await?;
            progress.done("starting the engine", began.elapsed());
            Ok((tools, engine))
        };
        let (build, (tools, engine)) =
            tokio::try_join!(build::functions(&checkout, &options.functions, progress), engine)?;

        let deployment = deploy::deploy(&checkout, &tools, &build, &engine, &options, progress).await?;
        let state = State::new(&engine, &options, deployment);
        Ok(Self {
            engine,
            checkout,
            state,
        })
    }

    /// Looks for the platform that was left running in this checkout. Changes nothing.
    ///
    /// # Errors
    /// Fails with [`PlatformError`] if the state file cannot be read.
    pub async fn find() -> Result<Found, PlatformError> {
        let checkout = Checkout::default();
        let Some(state) = State::read(&checkout)? else {
            return Ok(Found::Nothing);
        };
        let engine = Engine::left_running(&checkout, &state.engine);
        let mut platform = Self {
            engine,
            checkout,
            state,
        };
        Ok(match platform.engine.condition().await {
            Condition::Answers => Found::Up(platform),
            Condition::Silent(why) => Found::Silent(platform, why),
            Condition::Gone(why) => Found::Gone(Gone {
                why,
                checkout: platform.checkout,
            }),
        })
    }

    /// Why the engine does not answer: it has ended, or it is silent. `None` if it answers.
    pub async fn why_silent(&mut self) -> Option<String> {
        match self.engine.condition().await {
            Condition::Answers => None,
            Condition::Silent(why) | Condition::Gone(why) => Some(why),
        }
    }

    /// Waits until no other process of this checkout starts a platform that will be left running. The lock is held until the
    /// returned file is dropped.
    ///
    /// # Errors
    /// Fails with [`PlatformError::File`] if the lock cannot be taken.
    pub async fn lock_state(progress: &dyn Progress) -> Result<std::fs::File, PlatformError> {
        checkout::lock_exclusive(&Checkout::default().private().join("platform.lock"), progress).await
    }

    /// Builds and deploys again. A platform that was left running then runs the code of the checkout, and its functions read this
    /// number of stack outputs documents. If nothing has changed, nothing is published again.
    ///
    /// # Errors
    /// Fails with [`PlatformError`]. The platform then stays as it was, or is deployed in part.
    pub async fn refresh(&mut self, stack_outputs: usize, progress: &dyn Progress) -> Result<(), PlatformError> {
        self.redeploy(stack_outputs, BTreeMap::new(), progress).await?;
        self.keep().await
    }

    /// Builds and deploys again, with these parameters of the template instead of the platform's own.
    ///
    /// # Errors
    /// Fails with [`PlatformError`]. The platform then stays as it was, or is deployed in part.
    pub async fn redeploy(
        &mut self,
        stack_outputs: usize,
        parameters: BTreeMap<String, String>,
        progress: &dyn Progress,
    ) -> Result<(), PlatformError> {
        let tools = Tools::prepare(&self.checkout, progress).await?;
        let build = build::functions(&self.checkout, &Functions::Dev, progress).await?;
        // A platform that is left running never enforces roles.
        let options = PlatformOptions {
            stack_outputs,
            wait_scale: self.state.wait_scale,
            parameters,
            ..PlatformOptions::new(self.state.profile.clone())
        };
        let deployment = deploy::deploy(&self.checkout, &tools, &build, &self.engine, &options, progress);
        self.state.deployment = deployment.await?;
        Ok(())
    }

    /// Deploys the template to the same engine again, as another stack with the names of `profile`. The platform
    /// is that stack from then on; the result is the one that it was, which goes on beside it.
    ///
    /// # Errors
    /// Fails with [`PlatformError`]. The platform then stays what it was.
    pub async fn deploy_beside(&mut self, profile: Profile, progress: &dyn Progress) -> Result<Stack, PlatformError> {
        let before = self.be(Stack {
            profile,
            deployment: self.state.deployment.clone(),
        });
        match self.redeploy(1, BTreeMap::new(), progress).await {
            Ok(()) => Ok(before),
            Err(error) => {
                self.be(before);
                Err(error)
            }
        }
    }

    /// Is another stack of the same engine from now on; gives the one that it was.
    pub fn be(&mut self, stack: Stack) -> Stack {
        Stack {
            profile: std::mem::replace(&mut self.state.profile, stack.profile),
            deployment: std::mem::replace(&mut self.state.deployment, stack.deployment),
        }
    }

    /// Leaves the platform running after this process. Writes the state file through which [`Platform::find`] finds it.
    ///
    /// # Errors
    /// Fails with [`PlatformError::Conflict`] if another platform was left running in this checkout, and with
    /// [`PlatformError::File`] if the state file cannot be written. The platform then ends when this value is dropped.
    pub async fn keep(&mut self) -> Result<(), PlatformError> {
        if let Found::Up(other) | Found::Silent(other, _) = Self::find().await?
            && other.state.engine != self.state.engine
        {
            return Err(PlatformError::Conflict(format!(
                "another local platform is up already (pid {}); stop it with `cargo p1 down` first",
                other.pid()
            )));
        }
        self.state.write(&self.checkout)?;
        self.engine.unleash().await
    }

    /// Ends the engine and its functions, and waits until they are gone. Also removes the state file of a platform that was left
    /// running.
    ///
    /// # Errors
    /// Fails with [`PlatformError`] if the engine could not be ended or the state file could not be removed.
    pub async fn stop(mut self) -> Result<(), PlatformError> {
        self.engine.stop().await?;
        if State::read(&self.checkout)?.is_some_and(|state| state.engine == self.state.engine) {
            State::remove(&self.checkout)?;
        }
        Ok(())
    }

    /// Configuration for AWS SDK clients of this platform.
    #[must_use]
    pub fn sdk_config(&self) -> aws_config::SdkConfig {
        deploy::sdk_config(self.engine.endpoint(), self.region(), self.account())
    }

    /// The deployed names and ARNs, from the stack's outputs.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.state.deployment
    }

    /// The profile of this platform.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.state.profile
    }

    /// The engine's URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.engine.endpoint()
    }

    /// The engine's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.engine.pid()
    }

    /// Region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.state.profile.region
    }

    /// Account id.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.state.profile.account
    }

    /// CloudFormation stack.
    #[must_use]
    pub fn stack(&self) -> &str {
        &self.state.profile.stack_name
    }

    /// ARN of the state machine.
    #[must_use]
    pub fn state_machine_arn(&self) -> &str {
        &self.state.deployment.state_machine_arn
    }

    /// Bucket of the evidence.
    #[must_use]
    pub fn evidence_bucket(&self) -> &str {
        &self.state.deployment.evidence_bucket
    }

    /// Bucket of the oracle store.
    #[must_use]
    pub fn object_store_bucket(&self) -> &str {
        &self.state.deployment.object_store_bucket
    }

    /// Bucket of registry, stack outputs and billing artifact.
    #[must_use]
    pub fn artifacts_bucket(&self) -> &str {
        &self.state.deployment.artifacts_bucket
    }

    /// Where the functions read the handles registry: `s3://bucket/key`.
    #[must_use]
    pub fn registry_uri(&self) -> &str {
        &self.state.deployment.registry_uri
    }

    /// Where the functions read the stack outputs: `s3://bucket/key` each.
    #[must_use]
    pub fn stack_outputs_uris(&self) -> &[String] {
        &self.state.deployment.stack_outputs_uris
    }

    /// Where M3.H reads the billing artifact: `s3://bucket/key`.
    #[must_use]
    pub fn billing_artifact_uri(&self) -> &str {
        &self.state.deployment.billing_artifact_uri
    }

    /// The checkout that this platform was built from.
    #[must_use]
    pub fn checkout(&self) -> &Checkout {
        &self.checkout
    }
}
