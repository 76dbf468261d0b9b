//! What the parts share: the plan, the binaries, the local platform; each made when it is first needed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use p1_local::progress::Progress;
use p1_local::{Checkout, Functions, Platform, PlatformOptions, Profile, Tools, binaries, programs};
use tokio::sync::OnceCell;

use crate::deployment::{Deployment, Size};
use crate::error::BenchError;
use crate::plan::Plan;

/// Programs: name → file.
pub type Binaries = BTreeMap<String, PathBuf>;

/// The setting of a benchmark. Dropping it ends everything that it started.
pub struct Setup<'p> {
    /// How much is measured.
    pub plan: Plan,
    /// Which binaries of the functions.
    pub functions: Functions,
    /// Whether the workers are built in the release profile.
    pub release: bool,
    /// Account, region and names.
    pub profile: Profile,
    /// Where files of a measurement lie.
    pub directory: PathBuf,
    /// The checkout.
    pub checkout: Checkout,
    /// Who is told what goes on.
    pub progress: &'p dyn Progress,
    binaries: OnceCell<Binaries>,
    workers: OnceCell<Binaries>,
    programs: OnceCell<PathBuf>,
    platform: OnceCell<Platform>,
}

impl<'p> Setup<'p> {
    /// A setting in which nothing is made yet.
    ///
    /// # Errors
    /// When the profile of the local platform cannot be read, or there is no place for files.
    pub fn new(plan: Plan, functions: Functions, progress: &'p dyn Progress) -> Result<Self, BenchError> {
        let checkout = Checkout::default();
        let directory = checkout
            .root()
            .join("target/p1/bench")
            .join(std::process::id().to_string());
        std::fs::create_dir_all(&directory).map_err(BenchError::io(format!("create {}", directory.display())))?;
        Ok(Setup {
            release: functions != Functions::Dev,
            plan,
            functions,
            profile: Profile::load(None)?,
            directory,
            checkout,
            progress,
            binaries: OnceCell::new(),
            workers: OnceCell::new(),
            programs: OnceCell::new(),
            platform: OnceCell::new(),
        })
    }

    /// The functions' binaries: package → file.
    ///
    /// # Errors
    /// When they cannot be built or are not there.
    pub async fn binaries(&self) -> Result<&Binaries, BenchError> {
        let make = async { Ok(binaries(&self.checkout, &self.functions, self.progress).await?) };
        self.binaries.get_or_try_init(|| make).await
    }

    /// A worker of `tests/bench/workers`, or the operator's tool.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn worker(&self, name: &str) -> Result<&PathBuf, BenchError> {
        let package = ["p1-bench-workers".to_owned(), "p1".to_owned()];
        let make =
            async { Ok::<_, BenchError>(programs(&self.checkout, &package, self.release, self.progress).await?) };
        let workers = self.workers.get_or_try_init(|| make).await?;
        workers
            .get(name)
            .ok_or_else(|| BenchError::wrong(format!("build {name}"), "there is no such binary"))
    }

    /// The directory of the pinned programs that are measured against: `aws`, `weed`, `python`.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub async fn programs(&self) -> Result<&PathBuf, BenchError> {
        let requirements = self.checkout.root().join("tests/bench/requirements-bench.txt");
        let make = async move {
            let python = Tools::environment(&self.checkout, "bench", &requirements, self.progress).await?;
            Ok::<_, BenchError>(python.parent().unwrap_or(&python).to_path_buf())
        };
        self.programs.get_or_try_init(|| make).await
    }

    /// The local platform, with these functions.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn platform(&self) -> Result<&Platform, BenchError> {
        let make = async {
            let mut options = PlatformOptions::new(self.profile.clone());
            options.functions = self.functions.clone();
            Ok::<_, BenchError>(Platform::start(options, self.progress).await?)
        };
        self.platform.get_or_try_init(|| make).await
    }

    /// A deployment of this size beside the platform's own, on the same engine.
    ///
    /// # Errors
    /// When the platform does not come up, or the engine refuses a bucket or input.
    pub async fn deployment(&self, size: Size) -> Result<Deployment, BenchError> {
        let endpoint = self.platform().await?.endpoint();
        Deployment::make(endpoint, endpoint, &self.profile, size).await
    }

    /// Where processes write what they say.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// Ends the platform, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(self) -> Result<(), BenchError> {
        if let Some(platform) = self.platform.into_inner() {
            platform.stop().await?;
        }
        Ok(())
    }
}
