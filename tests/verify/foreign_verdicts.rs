//! Verdicts in folders that are not P1's.

use std::fs;

use p1_audit::verify::SignatureState;
use p1_contract::attestation::{PublicKey, SIDECARS};
use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use p1_tests::directories::{exit_code, verify};
use p1_tests::runs::{KEY, advanced};
use p1_tests::world::{signer, signing_key};
use serde_json::{Value, json};

use crate::damage::Files;
use crate::second_verifier::SecondVerifier;
use crate::{START, both, mirrored};

/// A verdict that lies where P1 writes none, such as M2's folder, is none, whoever names it and whatever is signed beside it.
#[tokio::test]
async fn a_verdict_outside_the_folders_of_p1_is_none() {
    const ELSEWHERE: &str = "evidence/dev_full/run_control/m2j_20260223T061612Z/";
    let run = advanced(START, signer(KEY)).await;
    let named = |end: &str| run.files.iter().find(|(key, _)| key.ends_with(end)).unwrap();
    let reference = |key: &str, bytes: &[u8]| json!({"bucket": "fraud-platform-dev-full-evidence", "key": key, "version_id": "v", "sha256": Sha256Hex::of(bytes), "bytes": bytes.len()});
    for sidecars in [false, true] {
        let (_, phase) = named("/m3_execution_summary.json");
        let mut phase: Value = serde_json::from_slice(phase).unwrap();
        phase["closures"].as_array_mut().unwrap().truncate(1);
        let (phase, key) = (
            to_document(&phase).unwrap(),
            format!("{ELSEWHERE}m3_execution_summary.json"),
        );
        let (second, record) = named("/ledger/000002.json");
        let mut record: Value = serde_json::from_slice(record).unwrap();
        record["summary"] = reference(&key, &phase);
        let (last, summary) = (format!("{ELSEWHERE}m3j_execution_summary.json"), b"{}\n".to_vec());
        let (first, acquired) = named("/ledger/000001.json");
        let mut files: Files = [
            (first.clone(), acquired.clone()),
            (second.clone(), to_document(&record).unwrap()),
            (key, phase),
            (last.clone(), summary.clone()),
        ]
        .into();
        for name in SIDECARS.into_iter().filter(|_| sidecars) {
            files.insert(format!("{ELSEWHERE}{name}"), named(name).1.clone());
        }
        let listed = files.iter().map(|(key, bytes)| {
            json!({"key": key, "version_id": "v", "etag": "e", "sha256": Sha256Hex::of(bytes), "bytes": bytes.len()})
        });
        let listed = to_document(&Value::Array(listed.collect())).unwrap();
        let mut history: Value = serde_json::from_slice(&run.files["execution_history.json"]).unwrap();
        let event = history["events"].as_array_mut().unwrap().last_mut().unwrap();
        let output = event.pointer_mut("/executionSucceededEventDetails/output").unwrap();
        let mut outcome: Value = serde_json::from_str(output.as_str().unwrap()).unwrap();
        outcome["closure"]["key"] = json!(last);
        outcome["closure"]["sha256"] = json!(Sha256Hex::of(&summary));
        *output = json!(outcome.to_string());
        files.insert("objects.json".to_owned(), listed);
        files.insert("execution_history.json".to_owned(), to_document(&history).unwrap());
        let dir = mirrored(files).write(&format!("elsewhere-{sidecars}"));
        let (status, report, answer) = both(&mut SecondVerifier::start(), &dir);
        assert!([2, 3].contains(&status), "{:?}", report.findings);
        assert!([json!(2), json!(3)].contains(&answer["exit_status"]), "{answer}");
        let signed = verify(&dir, &[PublicKey::new(*signing_key(KEY).verifying_key()).unwrap()]);
        assert!([2, 3].contains(&exit_code(&signed)), "{:?}", signed.findings);
        assert_ne!(signed.signature.state, SignatureState::Verified);
        let _ = fs::remove_dir_all(dir);
    }
}
