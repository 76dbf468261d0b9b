//! One registry with the documents beside it: linted, and run.

use p1_contract::blocker::Blocker;
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::{Environment, Stamp};
use p1_contract::pattern;
use p1_contract::registry::parse;
use p1_contract::step::Step;
use p1_lint::{Deployed, Document, Inputs};
use p1_local::sample;
use p1_tests::world::{ARTIFACTS, BILLING, EVIDENCE, MACHINE, RECEIPT, REGISTRY, ROLE, STACK, World, registry};
use serde_json::json;

/// The day of the run.
pub(crate) const AT: &str = "2026-02-23T17:43:07Z";

/// A registry and the documents beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    pub(crate) registry: Vec<u8>,
    pub(crate) stack_outputs: Vec<u8>,
    pub(crate) m2_receipt: Vec<u8>,
    pub(crate) billing: Vec<u8>,
}

impl Default for Scene {
    fn default() -> Self {
        let outputs =
            json!({"p1_handle_materialization": {"sensitive": false, "value": {"S3_EVIDENCE_BUCKET": EVIDENCE}}});
        Scene {
            registry: registry().into_bytes(),
            stack_outputs: outputs.to_string().into_bytes(),
            m2_receipt: sample::m2_receipt("20260223T061612Z"),
            billing: sample::billing(jiff::civil::date(2026, 2, 23)),
        }
    }
}

/// How a run ends: the first step that blocks with its codes, or the step that faults.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Advances,
    Held(Step, Vec<Blocker>),
    Faults(Step, &'static str),
}

impl Scene {
    pub(crate) fn of(registry: impl Into<Vec<u8>>) -> Self {
        Scene {
            registry: registry.into(),
            ..Scene::default()
        }
    }

    /// The sample with one text of the registry replaced, which must be there.
    pub(crate) fn edited(from: &str, to: &str) -> Self {
        Self::default().with(from, to)
    }

    pub(crate) fn with(&self, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.registry.clone()).unwrap();
        assert!(text.contains(from), "the registry holds no {from}");
        Scene {
            registry: text.replace(from, to).into_bytes(),
            ..self.clone()
        }
    }

    /// What is linted, for the deployment that the run takes place on.
    pub(crate) fn inputs(&self) -> Inputs {
        let document = |name: &str, bytes: &[u8]| Document {
            name: name.to_owned(),
            bytes: bytes.to_owned(),
        };
        Inputs {
            registry: document("handles.registry.md", &self.registry),
            stack_outputs: vec![document("outputs.json", &self.stack_outputs)],
            m2_receipt: Some(document("m2_receipt.json", &self.m2_receipt)),
            billing: Some(document("billing.json", &self.billing)),
            environment: Environment::default(),
            deployed: Deployed {
                evidence_bucket: Some(EVIDENCE.parse().unwrap()),
                state_machine: Some(MACHINE.parse().unwrap()),
                role: Some(ROLE.to_owned()),
            },
            at: Stamp::parse(AT).unwrap(),
        }
    }

    /// Runs the steps on a platform of their own, which has these documents, up to the first that blocks. Its manifests lie where the
    /// valid registry has them, and where this one has them.
    pub(crate) async fn run(&self) -> End {
        let mut world = World::new();
        world.start_time = AT.to_owned();
        world.store.seed(ARTIFACTS, REGISTRY, self.registry.clone());
        world.store.seed(ARTIFACTS, STACK, self.stack_outputs.clone());
        world.store.seed(EVIDENCE, RECEIPT, self.m2_receipt.clone());
        world.store.seed(ARTIFACTS, BILLING, self.billing.clone());
        self.publish_manifests(&world);
        for step in Step::ALL {
            let result = match Box::pin(world.try_run(step)).await {
                Ok(result) => result,
                Err(fault) => return End::Faults(step, fault.name()),
            };
            if !result.overall_pass {
                return End::Held(step, result.blockers);
            }
        }
        End::Advances
    }

    fn publish_manifests(&self, world: &World) {
        let Ok(registry) = parse(&self.registry) else { return };
        let facts = HandleFacts::read(
            &registry,
            &handles::names_read_by(Step::RunIdentity, &Environment::default()),
        );
        let text = |key: handles::FixedHandle| facts.text(key).ok();
        let (Some(bucket), Some(namespace), Some(engine_run), Some(manifest), Ok(outputs)) = (
            text(handles::ORACLE_STORE_BUCKET),
            text(handles::ORACLE_SOURCE_NAMESPACE),
            text(handles::ORACLE_ENGINE_RUN_ID),
            text(handles::S3_STREAM_VIEW_MANIFEST_KEY_PATTERN),
            facts.texts(handles::ORACLE_REQUIRED_OUTPUT_IDS),
        ) else {
            return;
        };
        for output in outputs {
            let tokens = [
                ("oracle_source_namespace", namespace),
                ("oracle_engine_run_id", engine_run),
                ("output_id", output.as_str()),
            ];
            if let Ok(key) = pattern::resolve(manifest, &tokens) {
                world.store.seed(bucket, key.as_str(), "{}");
            }
        }
    }
}
