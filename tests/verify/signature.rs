//! What a signature adds: who signed, and that nothing was changed that nothing else tells.

use m3j_phase_verdict::Signer;
use p1_audit::findings::Grade;
use p1_audit::verify::{Report, Signature, SignatureState};
use p1_contract::attestation::{KEY_SIDECAR, PublicKey, SIDECARS, VERDICT_SIDECAR, VSA_SIDECAR};
use p1_tests::directories::{exit_code, verify};
use p1_tests::runs::{KEY, LATER_KEY, Mirrored, advanced, held, held_at_once, resumed};
use p1_tests::signature_readers;
use p1_tests::world::{signer, signing_key};
use serde_json::{Value, json};

use crate::damage::{Files, relist};
use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;
use crate::{START, put};

const OBJECTS: &str = "objects.json";

fn public(n: u8) -> PublicKey {
    PublicKey::new(*signing_key(n).verifying_key()).unwrap()
}

/// The exit status, the state of the signature, and everything else.
fn check(name: &str, files: &Files, keys: &[PublicKey]) -> (u8, SignatureState, Report) {
    let run = mirrored(files);
    let dir = run.write(&format!("signature-{name}"));
    let report = verify(&dir, keys);
    let _ = std::fs::remove_dir_all(dir);
    (exit_code(&report), report.signature.state, report)
}

fn mirrored(files: &Files) -> Mirrored {
    Mirrored {
        files: files.clone(),
        history: Vec::new(),
    }
}

fn second(name: &str, files: &Files) -> Value {
    let run = mirrored(files);
    let dir = run.write(&format!("second-{name}"));
    let answer = SecondVerifier::start().verify(&dir);
    let _ = std::fs::remove_dir_all(dir);
    answer
}

fn place(files: &Files, name: &str) -> String {
    files.keys().find(|key| key.ends_with(name)).unwrap().clone()
}

#[tokio::test]
async fn the_state_of_a_signature_depends_on_the_keys_that_are_known() {
    let (key, other) = (public(KEY), public(9));
    let unsigned = advanced(START, Signer::Off).await.files;
    let signed = advanced(START, signer(KEY)).await.files;
    for (name, files, keys, expected) in [
        ("none", &unsigned, vec![], (0, SignatureState::Unsigned)),
        ("demanded", &unsigned, vec![key.clone()], (3, SignatureState::Unsigned)),
        ("signed", &signed, vec![], (0, SignatureState::Signed)),
        ("verified", &signed, vec![key.clone()], (0, SignatureState::Verified)),
        (
            "one-of",
            &signed,
            vec![other.clone(), key.clone()],
            (0, SignatureState::Verified),
        ),
        ("another", &signed, vec![other.clone()], (2, SignatureState::Invalid)),
    ] {
        let (status, state, report) = check(name, files, &keys);
        assert_eq!((status, state), expected, "{name}: {:?}", report.findings);
    }
    let id = Some(key.id().to_string());
    let (_, _, report) = check("id", &signed, &[]);
    let expected = Signature {
        state: SignatureState::Signed,
        keyid: id.clone(),
    };
    assert_eq!(report.signature, expected);
    assert_eq!(json!(report.signature), json!({"state": "SIGNED", "keyid": id}));
    let (_, _, report) = check("no-id", &unsigned, &[]);
    assert_eq!(json!(report.signature), json!({"state": "UNSIGNED", "keyid": null}));
}

#[tokio::test]
async fn holds_are_signed_too() {
    for (name, run) in [
        ("held", held(START, signer(KEY)).await),
        ("at-once", held_at_once(START, signer(KEY)).await),
    ] {
        let (status, state, report) = check(name, &run.files, &[public(KEY)]);
        assert_eq!(
            (status, state),
            (1, SignatureState::Verified),
            "{name}: {:?}",
            report.findings
        );
    }
}

/// The run was held under one key and advanced under the next: both verdicts count.
#[tokio::test]
async fn every_verdict_of_a_directory_is_verified() {
    let files = resumed(START, signer(KEY)).await.files;
    let (first, later) = (public(KEY), public(LATER_KEY));
    let (status, state, report) = check("both", &files, &[first.clone(), later.clone()]);
    assert_eq!((status, state), (0, SignatureState::Verified), "{:?}", report.findings);
    assert_eq!(report.signature.keyid, Some(later.id().to_string()));
    // The later verdict is signed by the key, and the one before it is not.
    let (status, state, report) = check("later", &files, std::slice::from_ref(&later));
    assert_eq!((status, state), (2, SignatureState::Verified), "{:?}", report.findings);
    let (status, state, _) = check("first", &files, &[first]);
    assert_eq!((status, state), (2, SignatureState::Invalid));

    // Somebody takes the signature of the earlier verdict away.
    let mut stripped = files.clone();
    let earlier = files.keys().filter(|key| key.ends_with(VERDICT_SIDECAR));
    let earlier = earlier
        .min_by_key(|key| key.split("/m3j_").nth(1).unwrap()[..16].to_owned())
        .unwrap();
    let earlier = earlier.rsplit_once('/').unwrap().0.to_owned();
    for name in SIDECARS {
        let key = format!("{earlier}/{name}");
        let list = relist(&stripped, &key, None);
        stripped.remove(&key).unwrap();
        stripped.insert(OBJECTS.to_owned(), list);
    }
    let (status, state, report) = check("stripped", &stripped, &[public(KEY), later]);
    assert_eq!((status, state), (3, SignatureState::Verified), "{:?}", report.findings);
}

/// Text that nothing else is computed from: only the signature tells that it was written by somebody else.
#[tokio::test]
async fn a_rewritten_run_is_caught_by_its_signature_alone() {
    let edit: fn(&mut Value) = |document| document["completion_checklist"][0]["item"] = json!("another");
    let name = "/m3_execution_summary.json";
    let unsigned = forged(&advanced(START, Signer::Off).await.files, name, edit);
    let (status, _, report) = check("unsigned-forgery", &unsigned, &[]);
    assert_eq!(status, 0, "only a signature could show it: {:?}", report.findings);

    let files = advanced(START, signer(KEY)).await.files;
    let mended = forged(&files, name, edit);
    let (status, state, report) = check("mended", &mended, &[]);
    assert_eq!((status, state), (2, SignatureState::Invalid));
    let subject = &report.findings.first().unwrap().subject;
    assert!(subject.ends_with(VERDICT_SIDECAR), "{subject}");
    assert_eq!(second("mended", &mended)["exit_status"], 2);

    // M3.J's own summary, which nothing but the signature names.
    let own = forged(&files, "/m3j_execution_summary.json", |document| {
        let inputs = document["inputs"].as_array_mut().unwrap();
        inputs.pop().unwrap();
    });
    assert_eq!(check("own", &own, &[]).0, 2);
    assert_eq!(second("own", &own)["exit_status"], 2);

    // The forger signs it all again with a key of his own, which lies beside it then: in itself that is sound.
    let mut resigned = unsigned;
    let other_key = advanced(START, signer(9)).await.files;
    for name in SIDECARS {
        let path = place(&other_key, name);
        let bytes = other_key[&path].clone();
        let list = relist(&resigned, &path, Some(&bytes));
        resigned.insert(path, bytes);
        resigned.insert(OBJECTS.to_owned(), list);
    }
    assert_eq!(check("of-another-run", &resigned, &[]).0, 2);
    assert_eq!(check("resigned", &other_key, &[]).1, SignatureState::Signed);
    let (status, state, report) = check("resigned-known", &other_key, &[public(KEY)]);
    assert_eq!((status, state), (2, SignatureState::Invalid));
    let detail = &report.findings[0].detail;
    assert!(detail.contains("none of those that were given"), "{detail}");
}

/// Both envelopes, whatever byte of the signature or of the key is another, with the list made to fit.
#[tokio::test]
async fn no_byte_of_a_signature_can_be_another() {
    let files = advanced(START, signer(KEY)).await.files;
    let dir = mirrored(&files).write("signature-bytes");
    let mut flips = 0;
    for name in [VERDICT_SIDECAR, VSA_SIDECAR, KEY_SIDECAR] {
        let path = place(&files, name);
        let bytes = &files[&path];
        let text = String::from_utf8(bytes.clone()).unwrap();
        let signatures = text.find("\"signatures\"").unwrap_or(0);
        for at in signatures..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            put(&dir, &path, Some(&flipped));
            put(&dir, OBJECTS, Some(&relist(&files, &path, Some(&flipped))));
            let report = verify(&dir, &[]);
            assert_eq!(exit_code(&report), 2, "byte {at} of {name}");
            assert_eq!(report.findings[0].grade, Grade::Tampered);
            assert_eq!(report.signature.state, SignatureState::Invalid);
            flips += 1;
        }
        put(&dir, &path, Some(bytes));
    }
    put(&dir, OBJECTS, Some(&files[OBJECTS]));
    assert_eq!(exit_code(&verify(&dir, &[public(KEY)])), 0);
    println!("verify, signatures: {flips} bytes changed / {flips} caught");
    let _ = std::fs::remove_dir_all(dir);
}

/// Tools that know nothing of P1 accept what is signed, and refuse what was changed.
#[tokio::test]
async fn standard_readers_accept_the_sidecars() {
    let files = resumed(START, signer(KEY)).await.files;
    let dir = mirrored(&files).write("signature-readers");
    let key = |n: u8| {
        let path = dir.join(format!("key-{n}.pem"));
        std::fs::write(&path, public(n).to_pem().unwrap()).unwrap();
        path
    };
    // The two verdicts are signed by two keys: each key is that of one pair.
    for n in [KEY, LATER_KEY] {
        let (accepted, text) = signature_readers::read(&dir, &key(n)).await;
        let counts = ["accepted ", "refused "].map(|word| text.lines().filter(|line| line.starts_with(word)).count());
        assert_eq!((accepted, counts), (false, [2, 2]), "{text}");
    }
    let _ = std::fs::remove_dir_all(&dir);

    let files = held(START, signer(KEY)).await.files;
    let dir = mirrored(&files).write("signature-readers-held");
    let path = dir.join("key.pem");
    std::fs::write(&path, public(KEY).to_pem().unwrap()).unwrap();
    let (accepted, text) = signature_readers::read(&dir, &path).await;
    assert!(accepted, "{text}");
    assert!(
        text.contains("urn:p1:predicate:verdict:1") && text.contains("ecdsa-sha2-nistp256"),
        "{text}"
    );
    let place = place(&files, VSA_SIDECAR);
    let text = String::from_utf8(files[&place].clone()).unwrap();
    let envelope = p1_contract::attestation::Envelope::parse(text.as_bytes()).unwrap();
    let payload = String::from_utf8(envelope.payload().unwrap()).unwrap();
    let passed = aws_smithy_types::base64::encode(payload.replace("FAILED", "PASSED"));
    put(&dir, &place, Some(text.replace(&envelope.payload, &passed).as_bytes()));
    let (accepted, text) = signature_readers::read(&dir, &path).await;
    assert!(!accepted && text.contains(&format!("refused {VSA_SIDECAR}")), "{text}");
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn sidecars_at_other_places_are_foreign_files() {
    let files = advanced(START, signer(KEY)).await.files;
    for name in SIDECARS {
        let path = place(&files, name);
        let folder = place(&files, "m3i_execution_summary.json");
        let elsewhere = [
            format!("{}/{name}", folder.rsplit_once('/').unwrap().0),
            format!("evidence/dev_full/run_control/m3j_20200101T000000Z_0123456789ab/{name}"),
            path.replace(name, &format!("more-{name}")),
        ];
        for (number, elsewhere) in elsewhere.into_iter().enumerate() {
            let mut files = files.clone();
            let bytes = files[&path].clone();
            let list = relist(&files, &elsewhere, Some(&bytes));
            files.insert(elsewhere.clone(), bytes);
            files.insert(OBJECTS.to_owned(), list);
            let (status, _, report) = check(&format!("elsewhere-{number}-{name}"), &files, &[]);
            assert_eq!(status, 2, "{elsewhere}: {:?}", report.findings);
            assert_eq!(second(&format!("elsewhere-{number}-{name}"), &files)["exit_status"], 2);
        }
    }
}
