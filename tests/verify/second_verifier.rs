//! `tests/verify/verify.py` as a child process that answers one directory after the other.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The second implementation, running.
pub(crate) struct SecondVerifier {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl SecondVerifier {
    pub(crate) fn start() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new("python3")
            .arg(here.join("verify/verify.py"))
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (ask, answers) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        SecondVerifier { child, ask, answers }
    }

    pub(crate) fn verify(&mut self, dir: &Path) -> Value {
        writeln!(self.ask, "{}", dir.display()).unwrap();
        self.ask.flush().unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

impl Drop for SecondVerifier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
