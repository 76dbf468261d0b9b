//! Real runs are signed: by the key of the checkout, and by a key in the engine's KMS that the template makes.

use std::path::{Path, PathBuf};

use p1_audit::verify::{SignatureState, Standing};
use p1_contract::attestation::{KEY_SIDECAR, PublicKey, VERDICT_SIDECAR, VSA_SIDECAR};
use p1_contract::step::Step;
use p1_tests::directories::verify;
use p1_tests::signature_readers;
use p1_tests::stage::{Ended, Stage, files, on_guarded_stage, on_stage};
use serde_json::Value;

use crate::mirrors::mirror_of;

/// The run mirrored with its receipt.
async fn mirrored(stage: &Stage, ended: &Ended, name: &str) -> PathBuf {
    let event: Value = serde_json::from_str(&stage.input(&ended.arn).await).unwrap();
    let receipt_key = event["detail"]["object"]["key"].as_str();
    let (mirror, dir) = mirror_of(stage, ended, name, receipt_key).await;
    assert_eq!(mirror.problems, Vec::<String>::new());
    dir
}

/// Every verdict of the mirrored run is signed by the key, for our own reader, for those of others, and for openssl.
async fn expect_signed(dir: &Path, key: &Path, standing: Standing) {
    let public = PublicKey::from_pem(&std::fs::read_to_string(key).unwrap()).unwrap();
    let report = verify(dir, &[public]);
    assert_eq!(report.standing, standing, "{:?}", report.findings);
    assert_eq!(report.signature.state, SignatureState::Verified);
    let (accepted, text) = signature_readers::read(dir, key).await;
    assert!(accepted, "{text}");
    assert!(text.contains("https://slsa.dev/verification_summary/v1"), "{text}");
}

async fn expect_sealed_again(stage: &Stage, ended: &Ended) {
    // Single versions: an attempt that seals again writes nothing.
    let folder = stage.folders(ended).await[Step::PhaseVerdict.id()].clone();
    for name in [KEY_SIDECAR, VERDICT_SIDECAR, VSA_SIDECAR] {
        assert!(stage.exists(&format!("{folder}{name}")).await, "{folder}{name}");
    }
    stage.expect_single_versions(&folder).await;
}

#[test]
fn a_run_is_signed_by_the_key_of_the_checkout() {
    on_stage(async |stage| {
        let key = stage.platform.checkout().signing_public_key();
        let ended = stage.run().await.expect_advance();
        let dir = mirrored(stage, &ended, "signed").await;
        expect_signed(&dir, &key, Standing::Pinned).await;
        expect_sealed_again(stage, &ended).await;

        // The private half is nowhere in the evidence, nor in the engine's history.
        let private = std::fs::read_to_string(stage.platform.checkout().signing_key()).unwrap();
        let secret = private.lines().nth(1).unwrap();
        for path in files(&dir) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(
                !text.contains(secret) && !text.contains("PRIVATE KEY"),
                "{}",
                path.display()
            );
        }

        let held = stage.held_run().await;
        let dir = mirrored(stage, &held, "signed-hold").await;
        expect_signed(&dir, &key, Standing::Held).await;
    });
}

/// On this stage the functions are held to their roles: M3.J's allows it to sign with that key.
#[test]
fn a_run_is_signed_by_a_key_in_kms() {
    on_guarded_stage(async |stage| {
        let arn = &stage.platform.deployment().outputs["SigningKey"];
        assert!(arn.contains(":kms:"), "{arn}");
        let script = "import base64,boto3,sys\nfrom cryptography.hazmat.primitives import serialization as s\n\
            der=boto3.client('kms').get_public_key(KeyId=sys.argv[1])['PublicKey']\n\
            pem=s.load_der_public_key(der).public_bytes(s.Encoding.PEM,s.PublicFormat.SubjectPublicKeyInfo)\n\
            print(pem.decode(),end='')\n";
        let output = stage.python().args(["-c", script, arn]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let key = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kms-key.pem");
        std::fs::write(&key, output.stdout).unwrap();

        let ended = stage.run().await.expect_advance();
        let dir = mirrored(stage, &ended, "signed-kms").await;
        expect_signed(&dir, &key, Standing::Pinned).await;
        expect_sealed_again(stage, &ended).await;
    });
}
