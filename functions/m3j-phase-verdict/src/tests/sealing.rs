//! What is signed, by whom, and what an attempt after one that died makes of it.

use std::collections::BTreeMap;
use std::path::Path;

use p1_contract::attestation::{
    Envelope, KEY_SIDECAR, PublicKey, SIDECARS, Statement, VERDICT_PREDICATE, VERDICT_SIDECAR, VSA_PREDICATE,
    VSA_SIDECAR, VerdictPredicate, VerificationResult, VerificationSummary, VerifiedLevel,
};
use p1_contract::hash::Sha256Hex;
use p1_contract::request::StepResult;
use p1_contract::settings::Signing;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::Fault;
use p1_runtime::store::PutAnswer;
use p1_runtime::testing::{BUCKET, TestExecution};
use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};

use super::platform::{green, held};
use super::replay::Kms;
use crate::{LocalKey, PhaseVerdictStep, Signer, SignerError};

/// The key of the DSSE protocol document's example: anyone may know it.
pub(super) const KEY: &str = "d73ec437fd6346e3619c5ebfdfff0f6916804955ad32ac9ac492b0ede1f6ffb7";

pub(super) fn key() -> SigningKey {
    SigningKey::from_slice(&Sha256Hex::parse(KEY).unwrap().to_bytes()).unwrap()
}

fn public() -> PublicKey {
    PublicKey::new(*key().verifying_key()).unwrap()
}

pub(super) fn local() -> PhaseVerdictStep {
    let pem = key().to_pkcs8_pem(LineEnding::LF).unwrap();
    let signer = Signer::Local(LocalKey::from_pem(&pem).unwrap());
    PhaseVerdictStep { signer }
}

fn place(execution: &TestExecution, sidecar: &str) -> String {
    super::platform::place(execution, Step::PhaseVerdict, sidecar)
}

pub(super) fn sidecars(execution: &TestExecution) -> BTreeMap<&'static str, Vec<u8>> {
    let mut objects = execution.store.dump(BUCKET);
    SIDECARS
        .into_iter()
        .filter_map(|name| Some((name, objects.remove(&place(execution, name))?)))
        .collect()
}

/// The statement in a sidecar, whose signature is held against the key first.
fn statement<P: serde::de::DeserializeOwned>(execution: &TestExecution, sidecar: &str) -> Statement<P> {
    let envelope = Envelope::parse(&sidecars(execution)[sidecar]).unwrap();
    serde_json::from_slice(&envelope.verify(&public()).unwrap()).unwrap()
}

pub(super) async fn conclude(execution: &mut TestExecution, step: &PhaseVerdictStep) -> Result<StepResult, Fault> {
    let result = execution.invoke(step).await;
    execution.closures.remove(Step::PhaseVerdict.id());
    result
}

#[tokio::test]
async fn an_advance_is_signed_over_everything_that_it_rests_on() {
    let mut execution = green();
    let result = conclude(&mut execution, &local()).await.unwrap();
    assert_eq!(result.verdict(), Some(PhaseVerdict::AdvanceToM4));

    let verdict: Statement<VerdictPredicate> = statement(&execution, VERDICT_SIDECAR);
    assert_eq!(verdict.predicate_type, VERDICT_PREDICATE);
    let said = &verdict.predicate;
    assert_eq!((said.verdict, said.committed), (PhaseVerdict::AdvanceToM4, true));
    assert_eq!((&said.run, &said.execution), (&execution.run(), &execution.arn));
    assert_eq!((said.unresolved_codes.len(), said.not_reached.len()), (0, 0));

    let objects = execution.store.dump(BUCKET);
    let closures = execution.closures.values();
    let mut expected: Vec<String> = closures.map(|closure| closure.key.to_string()).collect();
    expected.extend(["m3j_execution_summary.json", "m3_execution_summary.json"].map(|name| place(&execution, name)));
    for end in ["/m4_handoff_pack.json", "/ledger/000002.json"] {
        expected.extend(objects.keys().filter(|key| key.ends_with(end)).cloned());
    }
    expected.sort();
    let names: Vec<&str> = verdict.subject.iter().map(|subject| subject.name.as_str()).collect();
    assert_eq!(names, expected);
    for subject in &verdict.subject {
        let name = &subject.name;
        assert_eq!(subject.digest.sha256, Sha256Hex::of(&objects[name]), "{name}");
    }

    let vsa: Statement<VerificationSummary> = statement(&execution, VSA_SIDECAR);
    assert_eq!(
        (vsa.predicate_type.as_str(), &vsa.subject),
        (VSA_PREDICATE, &verdict.subject)
    );
    assert_eq!(vsa.predicate.verification_result, VerificationResult::Passed);
    assert_eq!(vsa.predicate.verified_levels, [VerifiedLevel::P1RunPinned]);
    assert_eq!(vsa.predicate.time_verified, execution.stamp);
    let run = execution.run().platform_run_id.unwrap();
    assert_eq!(
        vsa.predicate.resource_uri,
        format!("s3://{BUCKET}/evidence/runs/{run}/")
    );
    assert_eq!(sidecars(&execution)[KEY_SIDECAR], public().to_pem().unwrap().as_bytes());
}

#[tokio::test]
async fn a_hold_is_signed_as_a_failure_with_its_codes() {
    let mut execution = held();
    conclude(&mut execution, &local()).await.unwrap();
    let said = statement::<VerdictPredicate>(&execution, VERDICT_SIDECAR).predicate;
    assert_eq!((said.verdict, said.committed), (PhaseVerdict::HoldM3, true));
    assert_eq!(json!(said.unresolved_codes), json!(["M3E-B4"]));
    assert_eq!(json!(said.not_reached), json!(["M3.F", "M3.G", "M3.H"]));
    let vsa = statement::<VerificationSummary>(&execution, VSA_SIDECAR).predicate;
    assert_eq!(vsa.verification_result, VerificationResult::Failed);
    assert_eq!(vsa.verified_levels, [VerifiedLevel::Failed]);
}

#[tokio::test]
async fn a_verdict_that_is_void_is_signed_as_one() {
    let mut execution = green();
    let other: p1_contract::ids::ExecutionArn = execution.arn.to_string().replace(":start", ":other").parse().unwrap();
    execution.acquire(2, &other);
    conclude(&mut execution, &local()).await.unwrap();
    let verdict = statement::<VerdictPredicate>(&execution, VERDICT_SIDECAR);
    assert_eq!(
        (verdict.predicate.verdict, verdict.predicate.committed),
        (PhaseVerdict::HoldM3, false)
    );
    assert_eq!(json!(verdict.predicate.unresolved_codes), json!(["M3J-B9"]));
    assert!(!verdict.subject.iter().any(|subject| subject.name.contains("/ledger/")));
}

#[tokio::test]
async fn signing_changes_nothing_but_adds_the_sidecars() {
    let (mut signed, mut unsigned) = (green(), green());
    let results = [
        conclude(&mut signed, &local()).await.unwrap(),
        conclude(&mut unsigned, &PhaseVerdictStep::default()).await.unwrap(),
    ];
    assert_eq!(results[0], results[1]);
    assert!(sidecars(&unsigned).is_empty());
    let mut objects = signed.store.dump(BUCKET);
    objects.retain(|key, _| !SIDECARS.iter().any(|name| key.ends_with(name)));
    assert_eq!(objects, unsigned.store.dump(BUCKET));
}

#[tokio::test]
async fn a_signature_that_is_there_is_adopted_though_another_would_be_another() {
    let kms = Kms::new(key());
    let step = PhaseVerdictStep { signer: kms.signer() };
    let mut execution = green();
    let first = conclude(&mut execution, &step).await.unwrap();
    let written = sidecars(&execution);
    assert_eq!(written.len(), SIDECARS.len());
    assert_eq!(kms.asked(), ["GetPublicKey", "Sign", "Sign"]);
    // A retry: the same result, no further signature, no further version.
    assert_eq!(conclude(&mut execution, &step).await.unwrap(), first);
    assert_eq!(kms.asked(), ["GetPublicKey"]);
    assert_eq!(sidecars(&execution), written);
    // That of another execution's attempt is another one, under the same key and over the same statement.
    let mut again = green();
    conclude(&mut again, &step).await.unwrap();
    assert_ne!(sidecars(&again)[VERDICT_SIDECAR], written[VERDICT_SIDECAR]);
    let payload = |bytes: &[u8]| Envelope::parse(bytes).unwrap().verify(&public()).unwrap();
    assert_eq!(
        payload(&sidecars(&again)[VERDICT_SIDECAR]),
        payload(&written[VERDICT_SIDECAR])
    );
}

#[tokio::test]
async fn what_a_crash_left_unsigned_a_redrive_signs() {
    let mut execution = green();
    // The commit and the closure are there; then the function dies.
    let first = conclude(&mut execution, &PhaseVerdictStep::default()).await.unwrap();
    assert!(sidecars(&execution).is_empty());
    let evidence = execution.store.dump(BUCKET);
    assert_eq!(conclude(&mut execution, &local()).await.unwrap(), first);
    let complete = sidecars(&execution);
    assert_eq!(complete.len(), SIDECARS.len());

    // It dies between two of the three: the one that is missing is added, those that are there stay.
    for missing in SIDECARS {
        let mut execution = green();
        conclude(&mut execution, &PhaseVerdictStep::default()).await.unwrap();
        assert_eq!(execution.store.dump(BUCKET), evidence);
        for (name, bytes) in complete.iter().filter(|(name, _)| **name != missing) {
            execution.store.seed(BUCKET, &place(&execution, name), bytes.clone());
        }
        conclude(&mut execution, &local()).await.unwrap();
        assert_eq!(sidecars(&execution), complete, "{missing}");
    }
}

#[tokio::test]
async fn a_sidecar_of_somebody_else_is_a_fault_and_stays() {
    let mut theirs = green();
    conclude(&mut theirs, &local()).await.unwrap();
    let mut of_another_key = theirs.clone();
    of_another_key.store = green().store;
    let another = SigningKey::from_slice(&[7; 32])
        .unwrap()
        .to_pkcs8_pem(LineEnding::LF)
        .unwrap();
    let signer = Signer::Local(LocalKey::from_pem(&another).unwrap());
    conclude(&mut of_another_key, &PhaseVerdictStep { signer })
        .await
        .unwrap();
    let mut of_a_hold = held();
    conclude(&mut of_a_hold, &local()).await.unwrap();

    let swapped = sidecars(&theirs)[VSA_SIDECAR].clone();
    for (name, bytes) in [
        (VERDICT_SIDECAR, sidecars(&of_another_key)[VERDICT_SIDECAR].clone()),
        (VERDICT_SIDECAR, sidecars(&of_a_hold)[VERDICT_SIDECAR].clone()),
        (VERDICT_SIDECAR, swapped),
        (VSA_SIDECAR, b"{}\n".to_vec()),
        (VSA_SIDECAR, vec![b' '; 2 << 20]),
        (KEY_SIDECAR, sidecars(&of_another_key)[KEY_SIDECAR].clone()),
    ] {
        let mut execution = green();
        execution.store.seed(BUCKET, &place(&execution, name), bytes.clone());
        let fault = conclude(&mut execution, &local()).await.unwrap_err();
        assert_eq!(fault.name(), "Internal", "{name}: {fault}");
        assert!(
            fault.to_string().contains("the verdict stands: keep the object"),
            "{fault}"
        );
        assert_eq!(sidecars(&execution)[name], bytes, "{name}");
        let objects = execution.store.dump(BUCKET);
        assert!(objects.contains_key(&place(&execution, "m3j_execution_summary.json")));
    }
}

#[tokio::test]
async fn a_sidecar_that_may_not_have_been_stored_is_a_fault_that_passes() {
    let mut execution = green();
    conclude(&mut execution, &PhaseVerdictStep::default()).await.unwrap();
    // Everything before is there already: observations, receipt, notes and summary.
    let before = 3 + p1_contract::artifacts::CLOSURE_NOTES.len();
    let mut answers = vec![PutAnswer::Exists; before];
    // Four for the key, and one for the index entry, which is found to be there.
    answers.extend(vec![PutAnswer::Unknown("time-out".to_owned()); 5]);
    execution.store.script(answers);
    let fault = conclude(&mut execution, &local()).await.unwrap_err();
    assert_eq!(fault.name(), "Transient", "{fault}");
    assert!(fault.to_string().contains(KEY_SIDECAR), "{fault}");
    execution.store.script(Vec::new());
    conclude(&mut execution, &local()).await.unwrap();
    assert_eq!(sidecars(&execution).len(), SIDECARS.len());
}

#[tokio::test]
async fn kms_is_asked_for_the_signature_of_a_digest() {
    let kms = Kms::new(key());
    let step = PhaseVerdictStep { signer: kms.signer() };
    let mut execution = green();
    conclude(&mut execution, &step).await.unwrap();
    let requests = kms.requests();
    let arn = super::replay::ARN;
    assert_eq!(requests[0], ("GetPublicKey".to_owned(), json!({"KeyId": arn})));
    for (_, request) in &requests[1..] {
        let mut fixed = request.clone();
        let digest = fixed["Message"].take();
        let expected = json!({
            "KeyId": arn, "Message": Value::Null, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256",
        });
        assert_eq!(fixed, expected);
        // 32 bytes in base64.
        assert_eq!(digest.as_str().unwrap().len(), 44);
    }
}

/// KMS gives whichever of the two values of s comes out; what is stored is the lower one.
#[tokio::test]
async fn what_kms_signs_is_brought_into_normal_form() {
    let kms = Kms::new(key());
    kms.give_high_s();
    let mut execution = green();
    conclude(&mut execution, &PhaseVerdictStep { signer: kms.signer() })
        .await
        .unwrap();
    let _: Statement<VerdictPredicate> = statement(&execution, VERDICT_SIDECAR);
    let _: Statement<VerificationSummary> = statement(&execution, VSA_SIDECAR);
}

#[tokio::test]
async fn what_kms_refuses_is_the_deployments_and_what_it_cannot_do_now_passes() {
    for (status, code, name) in [
        (400, "AccessDeniedException", "Internal"),
        (400, "NotFoundException", "Internal"),
        (400, "DisabledException", "Internal"),
        (400, "KMSInvalidStateException", "Internal"),
        (400, "InvalidKeyUsageException", "Internal"),
        (400, "ThrottlingException", "Transient"),
        (400, "LimitExceededException", "Transient"),
        (400, "ExpiredTokenException", "Transient"),
        (400, "UnrecognizedClientException", "Transient"),
        (400, "SomethingNew", "Transient"),
        (429, "SomethingNew", "Transient"),
        (500, "KMSInternalException", "Transient"),
        (500, "KeyUnavailableException", "Transient"),
        (503, "DependencyTimeoutException", "Transient"),
    ] {
        for operation in ["GetPublicKey", "Sign"] {
            let kms = Kms::new(key());
            kms.refuse(operation, status, code);
            let mut execution = green();
            let step = PhaseVerdictStep { signer: kms.signer() };
            let fault = conclude(&mut execution, &step).await.unwrap_err();
            assert_eq!(fault.name(), name, "{operation} {code}: {fault}");
            assert!(fault.to_string().contains(code), "{fault}");
            // The verdict is there, and the redrive signs it.
            let objects = execution.store.dump(BUCKET);
            assert!(
                objects.contains_key(&place(&execution, "m3j_execution_summary.json")),
                "{code}"
            );
            kms.mend();
            let result = conclude(&mut execution, &step).await.unwrap();
            assert_eq!(result.verdict(), Some(PhaseVerdict::AdvanceToM4));
            assert_eq!(sidecars(&execution).len(), SIDECARS.len());
        }
    }
}

/// What comes back is believed only after it was held against the key.
#[tokio::test]
async fn a_signature_that_does_not_verify_is_not_stored() {
    let kms = Kms::new(key());
    kms.sign_with(SigningKey::from_slice(&[7; 32]).unwrap());
    let mut execution = green();
    let step = PhaseVerdictStep { signer: kms.signer() };
    let fault = conclude(&mut execution, &step).await.unwrap_err();
    assert_eq!(fault.name(), "Internal");
    assert!(fault.to_string().contains("does not verify"), "{fault}");
    assert_eq!(sidecars(&execution).keys().copied().collect::<Vec<_>>(), [KEY_SIDECAR]);
}

#[test]
fn a_private_key_is_never_printed() {
    let scratch = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .build();
    let kms = crate::kms_client(&config);
    let error = Signer::new(&Signing::LocalKey(scratch.display().to_string()), &kms).unwrap_err();
    assert!(matches!(error, SignerError::NoKey(_)), "{error}");
    assert!(!error.to_string().contains("package"), "{error}");
    let missing = Signer::new(&Signing::LocalKey("/nowhere/key.pem".into()), &kms).unwrap_err();
    assert!(matches!(missing, SignerError::Unreadable { .. }), "{missing}");
    let printed = format!("{:?}", local());
    assert!(!printed.contains(&KEY[..8]) && !printed.contains("215"), "{printed}");
}
