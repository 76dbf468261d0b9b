//! Whose turn it is on which platform.

use std::sync::LazyLock;

use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::Stage;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
/// Two, because an engine is one Python process, which is what a test waits for.
static PLAIN: [Shared; 2] = [const { Shared::new(false) }; 2];
static GUARDED: Shared = Shared::new(true);

/// A platform on which tests take turns.
struct Shared {
    enforce_roles: bool,
    stage: OnceCell<Stage>,
    turn: Mutex<()>,
}

impl Shared {
    const fn new(enforce_roles: bool) -> Self {
        Shared {
            enforce_roles,
            stage: OnceCell::const_new(),
            turn: Mutex::const_new(()),
        }
    }

    async fn stage(&self) -> &Stage {
        self.stage.get_or_init(|| Stage::set(self.enforce_roles)).await
    }

    async fn take_turn(&self, _turn: MutexGuard<'_, ()>, test: impl AsyncFnOnce(&Stage)) {
        let stage = self.stage().await;
        stage.empty_evidence().await;
        stage.seed().await;
        test(stage).await;
    }
}

/// Runs a test in its turn on the platform: its inputs are the valid ones again, and its evidence bucket is empty.
pub fn on_stage(test: impl AsyncFnOnce(&Stage)) {
    let [one, other] = &PLAIN;
    RUNTIME.block_on(async {
        tokio::select! {
            biased;
            turn = one.turn.lock() => one.take_turn(turn, test).await,
            turn = other.turn.lock() => other.take_turn(turn, test).await,
        }
    });
}

/// The same on a platform whose engine holds the functions to the policies of their roles.
pub fn on_guarded_stage(test: impl AsyncFnOnce(&Stage)) {
    RUNTIME.block_on(async { GUARDED.take_turn(GUARDED.turn.lock().await, test).await });
}

/// Runs a test that uses the platform's engine for buckets of its own alone, beside the test whose turn it is.
pub fn beside_stage(test: impl AsyncFnOnce(&Stage)) {
    RUNTIME.block_on(async { test(PLAIN[0].stage().await).await });
}

/// Runs a test on a platform that no other test sees, which it may deploy anew.
pub fn on_stage_of_its_own(test: impl AsyncFnOnce(&mut Stage)) {
    RUNTIME.block_on(async {
        let mut stage = Stage::set(false).await;
        test(&mut stage).await;
        stage.platform.stop().await.unwrap();
    });
}

/// How often the tests of many executions at once are repeated: `P1_REPEAT`, else once.
pub fn rounds() -> usize {
    std::env::var("P1_REPEAT").map_or(1, |text| text.parse().unwrap())
}
