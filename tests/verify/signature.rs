//! What a signature adds: who signed, and that nothing was changed that nothing else tells.

use m3j_phase_verdict::Signer;
use p1::VerifyArgs;
use p1_audit::findings::Grade;
use p1_audit::verify::{Report, Signature, SignatureState, Standing};
use p1_contract::attestation::{Envelope, KEY_SIDECAR, PublicKey, SIDECARS, VERDICT_SIDECAR, VSA_SIDECAR};
use p1_contract::canonical::to_document;
use p1_tests::directories::{exit_code, verify};
use p1_tests::runs::{KEY, LATER_KEY, advanced, held, held_at_once, resumed};
use p1_tests::signature_readers;
use p1_tests::world::{signer, signing_key};
use p256::ecdsa::Signature as Ecdsa;
use serde_json::{Value, json};

use crate::damage::{Files, relist};
use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;
use crate::{OTHER_START, START, mirrored, put};

const OBJECTS: &str = "objects.json";

fn public(n: u8) -> PublicKey {
    PublicKey::new(*signing_key(n).verifying_key()).unwrap()
}

/// The exit status, the state of the signature, and everything else.
fn check(name: &str, files: &Files, keys: &[PublicKey]) -> (u8, SignatureState, Report) {
    let dir = mirrored(files.clone()).write(&format!("signature-{name}"));
    let report = verify(&dir, keys);
    let _ = std::fs::remove_dir_all(dir);
    (exit_code(&report), report.signature.state, report)
}

fn second(name: &str, files: &Files) -> Value {
    let dir = mirrored(files.clone()).write(&format!("second-{name}"));
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
        ("another", &signed, vec![other.clone()], (2, SignatureState::OtherKey)),
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
    assert_eq!((status, state), (2, SignatureState::OtherKey), "{:?}", report.findings);
    assert_eq!(report.signature.keyid, Some(first.id().to_string()));
    let (status, state, report) = check("first", &files, &[first]);
    assert_eq!((status, state), (2, SignatureState::OtherKey));
    assert_eq!(report.signature.keyid, Some(later.id().to_string()));

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
    assert_eq!((status, state), (2, SignatureState::OtherKey));
    let detail = &report.findings[0].detail;
    assert!(detail.contains("none of those that were given"), "{detail}");
}

/// Both envelopes, whatever byte of the signature or of the key is another, with the list made to fit.
#[tokio::test]
async fn no_byte_of_a_signature_can_be_another() {
    let files = advanced(START, signer(KEY)).await.files;
    let dir = mirrored(files.clone()).write("signature-bytes");
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
    let dir = mirrored(files.clone()).write("signature-readers");
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
    let dir = mirrored(files.clone()).write("signature-readers-held");
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

/// A key that is none of the given ones says nothing against the evidence, and a valid signature nothing for evidence that was
/// changed beside it.
#[tokio::test]
async fn another_key_is_no_tampering_and_a_changed_file_is_not_signed() {
    let files = advanced(START, signer(KEY)).await.files;
    let (key, other) = (public(KEY), public(9));
    let (_, state, report) = check("other-key", &files, std::slice::from_ref(&other));
    assert_eq!((report.standing, state), (Standing::OtherKey, SignatureState::OtherKey));
    let grades: Vec<Grade> = report.findings.iter().map(|finding| finding.grade).collect();
    assert_eq!(grades, [Grade::OtherKey], "{:?}", report.findings);

    let notes = files.keys().find(|key| key.ends_with(".md")).unwrap();
    let mut changed = files.clone();
    let bytes = [&files[notes], &b"One line more.\n"[..]].concat();
    changed.insert(OBJECTS.to_owned(), relist(&files, notes, Some(&bytes)));
    changed.insert(notes.clone(), bytes);
    let mut foreign = files.clone();
    foreign.insert("evidence/foreign.json".to_owned(), b"{}\n".to_vec());
    for (name, files) in [("changed", changed), ("foreign", foreign)] {
        for keys in [vec![], vec![key.clone()], vec![other.clone()]] {
            let (status, state, report) = check(name, &files, &keys);
            let found = (status, report.standing, state);
            let expected = (2, Standing::Tampered, SignatureState::Contradicted);
            assert_eq!(found, expected, "{name}: {:?}", report.findings);
        }
    }
}

/// The same signature with the other value of s, which verifies too.
fn high(sig: &str) -> String {
    let der = aws_smithy_types::base64::decode(sig).unwrap();
    let (r, s) = Ecdsa::from_der(&der).unwrap().split_scalars();
    aws_smithy_types::base64::encode(Ecdsa::from_scalars(r, -s).unwrap().to_der())
}

/// One row for each way to write a signature otherwise. verify.py leaves the signature itself to openssl.
#[tokio::test]
async fn a_signature_in_another_form_is_refused() {
    let files = advanced(START, signer(KEY)).await.files;
    let of_another = advanced(OTHER_START, signer(KEY)).await.files;
    let at = place(&files, VERDICT_SIDECAR);
    let envelope = Envelope::parse(&files[&at]).unwrap();
    let value: Value = serde_json::from_slice(&files[&at]).unwrap();
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut value = value.clone();
        edit(&mut value);
        to_document(&value).unwrap()
    };
    let unpadded = envelope
        .payload
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    let rows: [(&str, Vec<u8>, u8); 6] = [
        (
            "a statement of another run",
            of_another[&place(&of_another, VERDICT_SIDECAR)].clone(),
            2,
        ),
        (
            "an extra signature",
            edited(&|value| {
                let again = value["signatures"][0].clone();
                value["signatures"].as_array_mut().unwrap().push(again);
            }),
            2,
        ),
        ("no signature", edited(&|value| value["signatures"] = json!([])), 2),
        (
            "a high s",
            edited(&|value| {
                value["signatures"][0]["sig"] = json!(high(value["signatures"][0]["sig"].as_str().unwrap()));
            }),
            0,
        ),
        ("spaces in the envelope", format!("{value:#}\n").into_bytes(), 2),
        (
            "base64 for URLs",
            edited(&|value| value["payload"] = json!(unpadded)),
            2,
        ),
    ];
    for (what, bytes, theirs) in rows {
        assert_ne!(bytes, files[&at], "{what}");
        let mut files = files.clone();
        files.insert(OBJECTS.to_owned(), relist(&files, &at, Some(&bytes)));
        files.insert(at.clone(), bytes);
        for keys in [vec![], vec![public(KEY)]] {
            let (status, state, report) = check("form", &files, &keys);
            let found = (status, report.standing, state);
            let expected = (2, Standing::Tampered, SignatureState::Invalid);
            assert_eq!(found, expected, "{what}: {:?}", report.findings);
            assert!(
                report.findings[0].subject.ends_with(VERDICT_SIDECAR),
                "{what}: {:?}",
                report.findings
            );
        }
        assert_eq!(second("form", &files)["exit_status"], theirs, "{what}");
    }
}

/// Public keys of other kinds, as openssl writes them.
const OTHER_KINDS: [(&str, &str); 3] = [
    (
        "Ed25519",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEArtyGn94mWGqfgaJ+2Q33gR0bWxkNnGAtPpotSVgc3n8=\n-----END PUBLIC KEY-----\n",
    ),
    (
        "P-384",
        "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEwdnXR+12LbkqPKkpj/Xsai58rp+h3bo2\n\
         Axmye9wzszp0QQMPRHk0IyyMJcC9JkhFbSlsXZZqaKOzCBdmnreL2/UL/ELAec21\nuvGtN31SwhnoPRe6mEgIT0zVZAN6OizI\n\
         -----END PUBLIC KEY-----\n",
    ),
    (
        "RSA",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzVuiO3sLi13RZ3BomLbq\n\
         9jBywScCUm95qehFEPnEqR4OBOmlrPgIMaIc/adHQ4U88LfVqA3TouTdT2UmcKE4\nv9HCQzwdgnZtVLG+535Fh8oayn06r92B7gCLEqnSuXm9f2CHGReoJV88SDhqq2zc\n\
         gt361khBgFKa0pXMX3UTfzwk86UwVTAiUru4YyhAd0yqyxWGvCbUaxwaExo3N0gu\na/s4ZDRwoKj9psfsm9wF2+8qCRkwAYuC3meNZhnwEPdgvDfj1WYgrqFX1hswijcX\n\
         M0TnS8zdDO080xpmsKCxiuFbxR9KZnohANNn5RO7ESsqqIPZwTL3nZGiyzZc05WB\nEwIDAQAB\n-----END PUBLIC KEY-----\n",
    ),
];

/// On the command line such a key is a usage error; in the directory it is tampering.
#[tokio::test]
async fn a_key_of_another_kind_is_refused() {
    let files = advanced(START, signer(KEY)).await.files;
    let dir = mirrored(files.clone()).write("key-kinds");
    let file = dir.with_extension("pem");
    let status = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        let args = VerifyArgs {
            dir: dir.clone(),
            keys: vec![file.clone()],
            no_replay: true,
            json: true,
        };
        p1::commands::verify::verify(&args).await.unwrap().code()
    };
    let at = place(&files, KEY_SIDECAR);
    for (what, pem) in OTHER_KINDS.into_iter().chain([("no key", "no key\n")]) {
        assert_eq!(status(pem).await, 4, "{what}");
        let mut files = files.clone();
        files.insert(OBJECTS.to_owned(), relist(&files, &at, Some(pem.as_bytes())));
        files.insert(at.clone(), pem.as_bytes().to_vec());
        let (status, state, report) = check("kind", &files, &[]);
        assert_eq!(
            (status, state),
            (2, SignatureState::Invalid),
            "{what}: {:?}",
            report.findings
        );
        assert_eq!(second("kind", &files)["exit_status"], 2, "{what}");
    }
    assert_eq!(status(&public(9).to_pem().unwrap()).await, 2);
    assert_eq!(status(&public(KEY).to_pem().unwrap()).await, 0);
    let _ = std::fs::remove_dir_all(dir);
    let _ = std::fs::remove_file(file);
}
