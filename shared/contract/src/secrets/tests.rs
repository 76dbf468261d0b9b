//! Tests of the scan as a whole. The secrets here are made up or are the published examples of their makers.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc=\n-----END RSA PRIVATE KEY-----";

fn rules(text: &str) -> Vec<&'static str> {
    scan_text("here", text)
        .into_iter()
        .map(|hit| hit.rule.as_str())
        .collect()
}

#[test]
fn shapes_are_found_and_taken_out() {
    let cases = [
        (format!("id {KEY_ID}."), "aws-access-key-id", KEY_ID),
        (
            "ASIAIOSFODNN7EXAMPLE".to_owned(),
            "aws-access-key-id",
            "ASIAIOSFODNN7EXAMPLE",
        ),
        (format!("x {SECRET_KEY} y"), "aws-secret-access-key", SECRET_KEY),
        (format!("\"{SECRET_KEY}\""), "aws-secret-access-key", SECRET_KEY),
        (format!("K={SECRET_KEY}"), "aws-secret-access-key", SECRET_KEY),
        (format!("see {PEM} there"), "pem-private-key", "MIIEowIBAAKCAQEA"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIEow".to_owned(),
            "pem-private-key",
            "MIIEow",
        ),
        (
            format!("token {JWT}"),
            "jwt",
            "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ),
        ("bearer 0123abcdEF".to_owned(), "bearer-token", "0123abcdEF"),
        (
            "Authorization: Basic dXNlcjpwYXNz".to_owned(),
            "bearer-token",
            "dXNlcjpwYXNz",
        ),
        (
            "postgres://app:p@ssw0rd@db:5432/x".to_owned(),
            "url-credentials",
            "p@ssw0rd",
        ),
        (
            "https://ghp_0123456789abcdefXYZ@github.com/x".to_owned(),
            "url-credentials",
            "ghp_0123456789abcdefXYZ",
        ),
        (
            "https://b.s3/k?X-Amz-Signature=0123456789abcdef".to_owned(),
            "url-credentials",
            "0123456789abcdef",
        ),
        (
            "run with DB_PASSWORD=hunter2-hunter2 x".to_owned(),
            "secret-named-value",
            "hunter2-hunter2",
        ),
        (
            r#"{"client_secret": "hunter2 hunter2"}"#.to_owned(),
            "secret-named-value",
            "hunter2 hunter2",
        ),
        (
            "api_key = 'hunter2 hunter2'".to_owned(),
            "secret-named-value",
            "hunter2 hunter2",
        ),
    ];
    for (text, rule, secret) in cases {
        assert_eq!(rules(&text), [rule], "{text}");
        let redacted = redact_text(&text).unwrap();
        assert!(redacted.contains(&format!("[REDACTED:{rule}]")), "{redacted}");
        assert!(!redacted.contains(secret), "{redacted}");
        assert_eq!(redact_text(&redacted), None, "{redacted}");
    }
    assert_eq!(
        redact_text("url https://u:pw@h/ ok").unwrap(),
        "url https://u:[REDACTED:url-credentials]@h/ ok"
    );
    assert_eq!(
        redact_text(&format!("a {KEY_ID} b {KEY_ID} c")).unwrap(),
        "a [REDACTED:aws-access-key-id] b [REDACTED:aws-access-key-id] c"
    );
}

#[test]
fn what_evidence_holds_is_no_secret() {
    for text in [
        "",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "\"d41d8cd98f00b204e9800998ecf8427e-3\"",
        "123e4567-e89b-12d3-a456-426614174000",
        "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH",
        "L4kqtJlcpXroDTDmpUMLUo_rmSpXd3dI",
        "platform_20261122T121701Z_01",
        "scenario_ba7816bf8f01cfea414140de5dae2223",
        "m3a_20261122T121701Z_ba7816bf8f01",
        "evidence/dev_full/run_control/m3a_20261122T121701Z_ba7816bf8f01/m3a_observations.json",
        "arn:aws:states:eu-west-2:123456789012:execution:fraud-platform-dev-full-platform-run-v0:123e4567-e89b-12d3-a456-426614174000_0a1b",
        "arn:aws:secretsmanager:eu-west-2:123456789012:secret:db/password-AbCdEf",
        "evidence/runs/platform/20261122T121701Za/",
        "evidence/runs/AB12/streamView/Manifest12",
        "https://eu-west-2.console.aws.amazon.com/states/home?region=eu-west-2#/executions",
        "http://127.0.0.1:4566/x@y",
        "ssh://git@github.com/a/b",
        "https://{user}:{password}@host/",
        "https://u:$PASSWORD@host",
        "uses bearer authentication with tokens",
        "Bearer <token>",
        "the secret: see /fraud-platform/db/password",
        "DB_PASSWORD_PATH=/fraud-platform/dev_full/aurora/password",
        "password=${DB_PASSWORD}",
        "token = \"TO_PIN\"",
        "FraudPlatformDevFullStepFunctionsRole123",
        "FieldPlatformRunIdEnvKeyRequired20261122",
        "config_digest=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----",
        "AROAIOSFODNN7EXAMPLE",
        "XAKIAIOSFODNN7EXAMPLEX",
        "AKIA",
        "x/AbCdEf0123456789+/==",
        &"aB3".repeat(100),
        "uPyhtaF4nmR1sKzQGXv0bT9Lw2cEdJ7M5oYiHxNkVg8=",
    ] {
        assert_eq!(rules(text), [""; 0], "{text}");
        assert_eq!(redact_text(text), None, "{text}");
    }
}

#[test]
fn values_are_scanned_with_their_names_and_keys() {
    let mut value = json!({
        "config_digest": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "note": {"a/b": [1, format!("x {KEY_ID}")]},
        "db_password": {"value": "hunter2-hunter2", "sensitive": false, "type": "string-or-so"},
        "tokens": ["hunter2-hunter2", "/a/pointer"],
        "password": "short",
        KEY_ID: SECRET_KEY,
        format!("k {KEY_ID}"): null,
        format!("k [REDACTED:aws-access-key-id]"): 1,
    });
    let scanned = scan_value(&value);
    let shown: Vec<String> = scanned
        .iter()
        .map(|hit| format!("{} {}", hit.place, hit.rule))
        .collect();
    assert_eq!(
        shown,
        [
            "/[REDACTED:aws-access-key-id] aws-access-key-id",
            "/[REDACTED:aws-access-key-id] aws-secret-access-key",
            "/db_password/value secret-named-value",
            "/k [REDACTED:aws-access-key-id] aws-access-key-id",
            "/note/a~1b/1 aws-access-key-id",
            "/tokens/0 secret-named-value",
        ]
    );
    assert_eq!(redact_value(&mut value), scanned);
    assert_eq!(scan_value(&value), []);
    assert_eq!(value["tokens"], json!(["[REDACTED:secret-named-value]", "/a/pointer"]));
    assert_eq!(value["db_password"]["type"], "string-or-so");
    assert_eq!(value.as_object().unwrap().len(), 8, "no entry is lost: {value}");
    assert!(!value.to_string().contains("IOSFODNN7"), "{value}");
}

#[test]
fn documents_are_scanned_line_by_line() {
    let document = format!(
        "# Handles\r\n* `A = \"x\"`\n* `DB_PASSWORD = \"hunter2-hunter2\"`\n* `API_KEY = hunter2-hunter2` note\n\n{PEM}\n* `K = \"{KEY_ID}\"` (a) {JWT}\n\
         * `DB_PASSWORD_PATH = \"/x/password\"`\n* `B_PASSWORD = \"/x/password\"`\n* `C_TOKEN = TO_PIN`\n* `D_TOKENS = [\"hunter2-hunter2\"]`\n* `E = {{\"password\":\"hunter2-hunter2\"}}`"
    );
    let shown: Vec<String> = scan_document("registry.md", &document)
        .iter()
        .map(|hit| format!("{} {}", hit.place, hit.rule))
        .collect();
    assert_eq!(
        shown,
        [
            "registry.md:line 3 secret-named-value",
            "registry.md:line 4 secret-named-value",
            "registry.md:line 6 pem-private-key",
            "registry.md:line 10 aws-access-key-id",
            "registry.md:line 10 jwt",
            "registry.md:line 14 secret-named-value",
            "registry.md:line 15 secret-named-value",
        ]
    );
}

#[test]
fn rules_have_one_name() {
    for rule in [
        SecretRule::AwsAccessKeyId,
        SecretRule::AwsSecretAccessKey,
        SecretRule::PemPrivateKey,
        SecretRule::Jwt,
        SecretRule::VendorToken,
        SecretRule::BearerToken,
        SecretRule::UrlCredentials,
        SecretRule::SecretNamedValue,
    ] {
        assert_eq!(serde_json::to_value(rule).unwrap(), json!(rule.as_str()));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a stopwatch, and no evidence")]
fn hostile_texts_do_not_hang() {
    let n = 1 << 15;
    for text in [
        "a".repeat(n),
        "a=".repeat(n / 2),
        "://a:b@".repeat(n / 7),
        "://".repeat(n / 3),
        "-----BEGIN PRIVATE KEY-----".repeat(n / 27),
        "eyJeyJeyJeyJ.".repeat(n / 13),
        "bearer ".repeat(n / 7),
        "AKIA".repeat(n / 4),
        "a=\"".repeat(n / 3),
        "`A=".repeat(n / 3),
        "?token=".repeat(n / 7),
        "aB3/".repeat(n / 4),
        "note: ".repeat(n / 6),
        "--password x ".repeat(n / 13),
        "\"token\",\"".repeat(n / 9),
        "<password>".repeat(n / 10),
        "curl -u a:".repeat(n / 10),
        "login x ".repeat(n / 8),
        "sig=".repeat(n / 4),
        "glpat-".repeat(n / 6),
        "xoxb-A1".repeat(n / 7),
        "dapi".repeat(n / 4),
    ] {
        let started = std::time::Instant::now();
        let _ = (scan_document("x", &text), redact_text(&text));
        assert!(
            started.elapsed().as_secs() < 30,
            "{}: {:?}",
            &text[..30],
            started.elapsed()
        );
    }
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(KEY_ID.to_owned()),
        Just(SECRET_KEY.to_owned()),
        Just(JWT.to_owned()),
        Just(PEM.to_owned()),
        Just("Bearer 0123abcdEF".to_owned()),
        Just("https://u:hunter2@h/".to_owned()),
        Just("DB_PASSWORD=hunter2-hunter2".to_owned()),
    ]
}

proptest! {
    #[test]
    fn never_panics(text in any::<String>(), marks in "[A-Za-z0-9/+=:@\"'`. \n-]{0,120}") {
        for text in [&text, &marks] {
            let _ = scan_document("x", text);
            prop_assert_eq!(redact_text(text).is_some(), !scan_text("x", text).is_empty());
        }
    }

    #[test]
    fn a_secret_between_words_is_found_and_leaves_nothing(before in "[a-z ]{0,20}", secret in secret(), after in "[a-z ,]{0,20}") {
        let text = format!("{before} {secret} {after}");
        prop_assert!(!scan_text("x", &text).is_empty());
        let redacted = redact_text(&text).unwrap();
        prop_assert!(!redacted.contains(&secret));
        prop_assert_eq!(redact_text(&redacted), None);
        let mut value = json!([{ &before: text }]);
        let hits = redact_value(&mut value);
        prop_assert!(!hits.is_empty());
        prop_assert!(hits.iter().all(|hit| !hit.place.contains(&secret)));
        prop_assert_eq!(scan_value(&value), []);
    }
}
