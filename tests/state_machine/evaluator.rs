//! Two evaluators of JSONata, each a child process that answers line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Once, OnceLock};

use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};
use serde_json::{Value, json};

use crate::asl::project_root;

/// When this variable is set, as `.ci/run` does, the reference implementation must be there.
const REFERENCE_REQUIRED: &str = "P1_REQUIRE_JSONATA_REFERENCE";

/// The name of the reference implementation's evaluator.
pub(crate) const REFERENCE: &str = "reference implementation";

/// What an expression came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Evaluated {
    Value(Value),
    /// Nothing at all; Step Functions fails the state on it.
    Undefined,
    Error(String),
}

/// One implementation of JSONata.
pub(crate) struct Evaluator {
    pub(crate) name: &'static str,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Evaluator {
    /// The implementations at hand: the reference implementation when node and its package are there, and the engine's.
    pub(crate) fn all() -> Vec<Evaluator> {
        let root = project_root();
        let mut all = vec![Evaluator::start(
            "local engine",
            &engine_python(),
            "tests/state_machine/evaluate.py",
        )];
        if reference_is_there(&root) {
            all.push(Evaluator::start(
                REFERENCE,
                Path::new("node"),
                "tests/state_machine/evaluate.mjs",
            ));
        }
        all
    }

    fn start(name: &'static str, program: &Path, script: &str) -> Evaluator {
        let mut child = Command::new(program)
            .arg(project_root().join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {} for the {name}: {error}", program.display()));
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Evaluator {
            name,
            child,
            requests,
            answers,
        }
    }

    /// Evaluates one expression; `bindings` holds `states` and the variables.
    pub(crate) fn evaluate(&mut self, expression: &str, bindings: &Value) -> Evaluated {
        let request = json!({ "expression": expression, "bindings": bindings });
        let requests = self.requests.as_mut().unwrap();
        writeln!(requests, "{request}").unwrap();
        requests.flush().unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the {} answered {line:?} to {expression}: {error}", self.name));
        match answer["error"].as_str() {
            Some(code) => Evaluated::Error(code.to_owned()),
            None if answer["undefined"] == true => Evaluated::Undefined,
            None => Evaluated::Value(answer["value"].take()),
        }
    }
}

impl Drop for Evaluator {
    fn drop(&mut self) {
        // Both scripts end with their input.
        self.requests.take();
        let _ = self.child.wait();
    }
}

/// The Python of the environment that the local engine is installed in, which is made when it is missing.
fn engine_python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let prepare = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let tools = runtime.block_on(Tools::prepare(&Checkout::default(), &Lines));
        tools
            .unwrap_or_else(|error| panic!("cannot set up the local engine: {error}"))
            .engine_python()
    };
    PYTHON.get_or_init(prepare).clone()
}

/// Whether node and the package are installed. Without them the tests go on with the engine's implementation alone, for
/// node is not needed to use the project; where [`REFERENCE_REQUIRED`] is set their absence is a failure.
fn reference_is_there(root: &Path) -> bool {
    let node = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let missing = if !node.is_ok_and(|status| status.success()) {
        "node is not installed"
    } else if !root.join("node_modules/jsonata").exists() {
        "node_modules/jsonata is missing, run `npm ci`"
    } else {
        return true;
    };
    assert!(
        std::env::var_os(REFERENCE_REQUIRED).is_none(),
        "{REFERENCE_REQUIRED} is set, but {missing}"
    );
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Written past the test harness, which keeps what a passing test prints to itself.
        let written = writeln!(
            std::io::stderr(),
            "skipped: JSONata's reference implementation ({missing})"
        );
        written.unwrap();
    });
    false
}
