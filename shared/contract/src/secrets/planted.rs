//! Secrets as people really leave them behind, and texts that look like secrets and are none: the scan must find all of the first, and
//! may stop one in fifty of the second.
//!
//! The forms follow the public test cases of the rules of gitleaks (github.com/gitleaks/gitleaks, commit b58d3f1) and what vendors
//! document. `{a36}` stands for 36 characters that are drawn anew: `a` letters and digits, `l` small letters and digits, `h` small
//! hexadecimal digits, `u` capitals and digits, `d` digits, `b` Base64, `w` letters, digits, `_` and `-`.

use serde_json::{Value, json};

use super::{redact_value, scan_document, scan_value};

/// A form with a secret in it.
const PLANTED: &[&str] = &[
    // AWS.
    "AKIA{u16}",
    "aws_access_key_id = ASIA{u16}",
    "aws_secret_access_key = {b40}",
    "aws_session_token = IQoJb3JpZ2lu{b300}",
    "FwoGZXIvYXdz{b240}",
    "ABSK{a120}",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA{u16}%2F20260101&X-Amz-Signature={h64}",
    "https://sqs.eu-west-2.amazonaws.com/?X-Amz-Security-Token={b200}",
    // Databricks.
    "dapi{h32}",
    "dapi{h32}-2",
    "DATABRICKS_TOKEN=dapi{h32}",
    "databricks_oauth dose{h32}",
    "jdbc:databricks://host:443;AuthMech=3;UID=token;PWD=dapi{h32}",
    // Source and package hosts.
    "ghp_{a36}",
    "gho_{a36}",
    "ghu_{a36}",
    "ghs_{a36}",
    "ghr_{a36}",
    "github_pat_{a22}_{a59}",
    "https://x-access-token:ghs_{a36}@github.com/o/r.git",
    "glpat-{w20}",
    "gldt-{w20}",
    "glrt-{w20}",
    "glptt-{h40}",
    "GR1348941{w20}",
    "glagent-{w50}",
    "npm_{a36}",
    "//registry.npmjs.org/:_authToken=npm_{a36}",
    "//registry.example.com/:_authToken={h32}",
    "pypi-AgEIcHlwaS5vcmc{w70}",
    "rubygems_{h48}",
    "CLOJARS_{l60}",
    "AKCp{a69}",
    "ATATT3{w186}",
    "dckr_pat_{w27}",
    // Clouds.
    "AIza{w35}",
    "client_secret: GOCSPX-{w28}",
    "ya29.{w60}",
    "LTAI{a20}",
    "dop_v1_{h64}",
    "doo_v1_{h64}",
    "HRKU-AA{w58}",
    "fo1_{w43}",
    "sha256~{w43}",
    "pul-{h40}",
    "pnu_{a36}",
    "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={b86}==;EndpointSuffix=core.windows.net",
    "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={b43}=",
    "https://shop.blob.core.windows.net/c?sv=2024-11-04&sp=r&sig={a43}%3D",
    "SharedAccessSignature=sv=2024-11-04&sig={a43}%3D",
    "sig={a43}%3D",
    "{a3}8Q~{w34}",
    // Vault and other stores.
    "hvs.{w95}",
    "hvb.{w150}",
    "token: s.1{a23}",
    "X-Vault-Token: hvs.{w24}",
    "{a14}.atlasv1.{w67}",
    "dp.pt.{l43}",
    "A3-{u6}-{u11}-{u5}-{u5}-{u5}",
    "AGE-SECRET-KEY-1{u58}",
    "ops_eyJ{b260}",
    // Messages and mail.
    "xoxb-{d12}-{d12}-{a24}",
    "xoxp-{d12}-{d12}-{d12}-{h32}",
    "xapp-1-{u11}-{d13}-{h64}",
    "xoxe-1-{a146}",
    "https://hooks.slack.com/services/T{u8}/B{u8}/{a24}",
    "https://discord.com/api/webhooks/{d18}/{w68}",
    "{d9}:AA{w33}",
    "SG.{w22}.{w43}",
    "SK{h32}",
    "key-{h32}",
    "xkeysib-{h64}-{l16}",
    // Payment and shops.
    "sk_live_{a24}",
    "rk_live_{a24}",
    "sk_test_{a24}",
    "whsec_{a32}",
    "sq0atp-{w22}",
    "EZAK{a54}",
    "FLWSECK_TEST-{h32}-X",
    "shpat_{h32}",
    "shpss_{h32}",
    "shippo_live_{h40}",
    "duffel_live_{w43}",
    // Monitoring, data and models.
    "dt0c01.{u24}.{u64}",
    "glsa_{a32}_{h8}",
    "glc_{b48}",
    "eyJrIjoi{a80}",
    "NRAK-{u27}",
    "sntryu_{h64}",
    "pscale_tkn_{w43}",
    "pscale_pw_{w43}",
    "sqp_{h40}",
    "lin_api_{a40}",
    "ntn_{d11}{a35}",
    "PMAK-{h24}-{h34}",
    "rdme_{l70}",
    "sk-ant-api03-{w93}AA",
    "sk-proj-{w74}T3BlbkFJ{w74}",
    "sk-{a20}T3BlbkFJ{a20}",
    "hf_{a34}",
    "pplx-{a48}",
    "tk-us-{w48}",
    // Tokens without a mark, by their names.
    "discord_api_token = \"{h64}\"",
    "algoliaToken: '{l32}'",
    "TWITTER_API_SECRET={a50}",
    "var datadogApiKey = \"{h40}\"",
    "\"mailchimp_api_key\" => \"{h32}-us12\"",
    "heroku_api_key: {h8}-{h4}-{h4}-{h4}-{h12}",
    "okta_token=00{w40}",
    "snyk_token = {h8}-{h4}-{h4}-{h4}-{h12}",
    "confluent_secret: {a64}",
    "string fastlyToken = \"{w32}\";",
    "System.setProperty(\"TRAVIS_TOKEN\", \"{a22}\")",
    "<apiKey>{a32}</apiKey>",
    "<add key=\"Password\" value=\"{a14}\" />",
    "_gitlab_session={l32}",
    // Passwords.
    "password: {a12}",
    "password = {a12}",
    "\"password\": \"{a7}!\"",
    "PGPASSWORD={a8}",
    "DBPASSWORD={a12}",
    "MYSQL_PWD={a10}",
    "db.pass={a12}",
    "accesstoken={a24}",
    "export SECRET_KEY_BASE={h128}",
    "SPRING_DATASOURCE_PASSWORD: {a16}",
    "machine api.example.com login bob password {a12}",
    "curl -u elastic:{a12} https://localhost:9200",
    "curl --user 'api:{a12}' https://api.example.com",
    "curl -H 'X-Api-Key: {a32}' https://api.example.com",
    "curl -H \"Authorization: Token {h40}\" https://api.example.com",
    "Authorization: Basic {a24}==",
    "authorization: Bearer {a40}",
    "Proxy-Authorization: Basic {a24}=",
    "mysql --password={a12} -h db",
    "mysql -u root --password {a12} -h db",
    "postgres://app:{a12}@db:5432/shop",
    "redis://:{a24}@cache:6379/0",
    "mongodb+srv://app:{a12}@cluster0.example.net/shop",
    "amqps://svc:{a12}@mq.example.net",
    "jdbc:postgresql://db/shop?user=app&password={a12}",
    "Server=db;Database=shop;User Id=app;Password={a12};",
    "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"kafka\" password=\"{a12}\";",
    "org.apache.kafka.common.security.scram.ScramLoginModule required username='k' password='{a7}!';",
    "https://example.com/callback?access_token={a40}",
    "https://example.com/?api_key={a32}",
    "https://user:{a12}@example.com/",
    "{\"auths\":{\"registry.example.com\":{\"auth\":\"{b40}\"}}}",
    // Keys.
    "-----BEGIN PRIVATE KEY-----\n{b64}\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\\n{b64}\\n-----END RSA PRIVATE KEY-----\\n",
    "-----BEGIN OPENSSH PRIVATE KEY----- {b64} -----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{b64}",
    "{\"type\":\"service_account\",\"private_key\":\"-----BEGIN PRIVATE KEY-----\\n{b64}\\n\"}",
    "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ{b80}",
    "client-key-data: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk{b60}",
    "PuTTY-User-Key-File-3: ssh-ed25519",
    "PrivateKey = {b43}=",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{w43}",
];

/// A form without one.
const HARMLESS: &[&str] = &[
    "{h64}",
    "{h40}",
    "sha256:{h64}",
    "sha256-{b43}=",
    "\"{h32}-3\"",
    "{h8}-{h4}-{h4}-{h4}-{h12}",
    "L4kqtJlcpXroDTDmpUMLUo_{a8}",
    "platform_20261128T091500Z",
    "scenario_{h32}",
    "m3a_20261128T091500Z_{h12}",
    "evidence/dev_full/run_control/m3a_20261128T091500Z_{h12}/m3a_observations.json",
    "arn:aws:states:eu-west-2:123456789012:stateMachine:fraud-platform-dev-full-platform-run-v0",
    "arn:aws:iam::123456789012:role/fraud-platform-dev-full-stepfunctions-orchestrator",
    "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/db-{a6}",
    "arn:aws:kms:eu-west-2:123456789012:key/{h8}-{h4}-{h4}-{h4}-{h12}",
    "i-0{h16}",
    "vpc-0{h16}, subnet-0{h16}, sg-0{h16}",
    "AROA{u17}",
    "AIDA{u17}",
    "ami-0{h16}",
    "123456789012.dkr.ecr.eu-west-2.amazonaws.com/shop@sha256:{h64}",
    "https://sqs.eu-west-2.amazonaws.com/123456789012/orders",
    "adb-1234567890123456.7.azuredatabricks.net",
    "dbc-a1b2c3d4-e5f6.cloud.databricks.com",
    "https://login.microsoftonline.com/{h8}-{h4}-{h4}-{h4}-{h12}/oauth2/v2.0/token",
    "password: required",
    "token: enabled",
    "authorization: AWS_IAM",
    "secret: none",
    "password = <password>",
    "password: ${DB_PASSWORD}",
    "DB_PASSWORD={{resolve:secretsmanager:shop/db}}",
    "password: ********",
    "password: changed on 2026-11-28",
    "the password is kept in Secrets Manager",
    "the token: see the runbook",
    "secret: shop/prod/db-credentials",
    "api_key_path=/shop/prod/api-key",
    "password_last_changed: 2026-11-28T09:15:00Z",
    "token_ttl: 3600",
    "max_tokens=4096000000",
    "passes: 12345678",
    "bypass=20261128T0915",
    "compass: north-north-east-12",
    "primary_key=order_id,line_id",
    "partition_key: customer_id_2026",
    "s3_key=evidence/runs/platform_20261128T091500Z/run.json",
    "keyboard: en-GB-2026",
    "author=somebody.else2026",
    "ghp_short",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "hvs.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "s.THISSTRINGISALLUPPERCASE",
    "s.thisstringisalllowercase",
    "s.AcceptanceTimeoutSeconds",
    "dapi123456789012345678a9bc01234defg5",
    "sk-learn, sk-image and sk-video",
    "key-value pairs, key-encipherment",
    "AKIA, ASIA and AROA are prefixes",
    "SKU-12345678, SKIPPED, SKELETON",
    "API-Gateway, API-first",
    "-----BEGIN CERTIFICATE-----\n{b64}\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n{b64}\n-----END PUBLIC KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b42} bob@example.com",
    "curl -u \"$USER:$PASSWORD\" https://example.com",
    "curl -u <user:password> https://example.com",
    "curl -X POST https://example.com/items",
    "git@github.com:o/r.git",
    "ssh://git@github.com/o/r.git",
    "https://example.com/?page=2&sort=created_at_desc",
    "https://example.com/?token_type=bearer_jwt",
    "v1.0.3-20261128-{h7}",
    "2026-11-28T09:15:00Z",
    "12345.678901234567890",
    "FraudPlatformDevFullStepFunctionsRole",
    "lambda-20261128-abcdefgh-ijklmnop-qrstuvwx",
    "signing_algorithm: ECDSA_SHA_256",
    "encryption: aws:kms",
    "credentials: instance profile",
    "auth: oidc",
    "grant_type=client_credentials",
    "token_endpoint_auth_method: private_key_jwt",
    "secret_rotation_days: 30",
    "user_pool_id: eu-west-2_{a9}",
    "workspace_id=1234567890123456",
    "warehouse_id: {h16}",
    "cluster_id = 1128-091500-{l8}",
    "e-tag: \"{h32}\"",
    "version_id = {a32}",
    "tokenizer: bert-base-uncased",
    "secretary: jane.doe2026",
    "passport: required",
    "kafka.us-east-1.amazonaws.com:9098",
    "org.apache.kafka.common.security.plain.PlainLoginModule required",
    "software.amazon.msk.auth.iam.IAMLoginModule required;",
];

/// The form with its characters drawn: the same ones in every run, others in every place.
fn drawn(form: &str, seed: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed as u64).wrapping_mul(0xd134_2543_de82_ef95);
    let mut next = |alphabet: &[u8]| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()])
    };
    const ALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut out = String::new();
    let mut rest = form;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let class = after.split_once('}').and_then(|(class, rest)| {
            let count: usize = class.get(1..)?.parse().ok()?;
            Some((class.as_bytes()[0], count, rest))
        });
        let Some((class, count, after)) = class else {
            out.push('{');
            rest = after;
            continue;
        };
        let alphabet = match class {
            b'a' => ALL.to_vec(),
            b'l' => ALL[..36].to_vec(),
            b'h' => b"0123456789abcdef".to_vec(),
            b'u' => ALL[26..].to_vec(),
            b'd' => b"0123456789".to_vec(),
            b'b' => [ALL, b"+/"].concat(),
            b'w' => [ALL, b"_-"].concat(),
            other => panic!("no class {}", char::from(other)),
        };
        out.extend((0..count).map(|_| next(&alphabet)));
        rest = after;
    }
    out + rest
}

/// The places where a text may stand: a value of evidence, an item of a list, a line of a registry.
fn is_found(text: &str) -> [bool; 3] {
    [
        !scan_value(&json!({ "note": text })).is_empty(),
        !scan_value(&json!([["a", text]])).is_empty(),
        !scan_document("registry", &format!("* `A = \"b\"` note: {text}\n")).is_empty(),
    ]
}

#[test]
fn every_planted_shape_is_caught_and_hardly_a_harmless_one() {
    let (mut missed, mut stopped) = (Vec::new(), Vec::new());
    for (seed, form) in PLANTED.iter().enumerate() {
        let text = drawn(form, seed);
        if is_found(&text) != [true; 3] {
            missed.push(format!("{form} ({text})"));
        }
    }
    for (seed, form) in HARMLESS.iter().enumerate() {
        let text = drawn(form, seed);
        if is_found(&text) != [false; 3] {
            stopped.push(format!("{form} ({text})"));
        }
    }
    println!(
        "shapes planted / caught: {} / {}; harmless / passed: {} / {}",
        PLANTED.len(),
        PLANTED.len() - missed.len(),
        HARMLESS.len(),
        HARMLESS.len() - stopped.len()
    );
    assert!(PLANTED.len() >= 150, "{}", PLANTED.len());
    assert!(missed.is_empty(), "missed: {missed:#?}\nstopped: {stopped:#?}");
    assert!(stopped.len() * 50 <= HARMLESS.len(), "{stopped:#?}");
}

#[test]
fn what_is_taken_out_is_gone() {
    for (seed, form) in PLANTED.iter().enumerate() {
        let mut value = json!({ "note": drawn(form, seed) });
        assert!(!redact_value(&mut value).is_empty(), "{form}");
        assert_eq!(scan_value(&value), [], "{form}: {value}");
    }
}

#[test]
fn all_below_the_name_of_a_secret_is_secret() {
    let caught: [Value; 9] = [
        json!({"db_password": {"current": "hunter2-hunter2"}}),
        json!({"db_password": {"value": {"current": "hunter2-hunter2"}}}),
        json!({"credentials": {"user": "bob", "pass": "hunter2-hunter2"}}),
        json!({"credentials": {"prod": ["hunter2-hunter2"]}}),
        json!({"PGPASSWORD": "hunter2!"}),
        json!({"password": "hunt3r!"}),
        json!({"dbpassword": "hunter2-hunter2"}),
        json!({"accesstoken": "hunter2-hunter2"}),
        json!({"password": "/hunter2!hunter2"}),
    ];
    for value in caught {
        assert!(!scan_value(&value).is_empty(), "{value}");
    }
    let passed: [Value; 5] = [
        json!({"db_password": {"value": "TO_PIN", "sensitive": false, "type": "string-or-so", "description": "of the shop's database"}}),
        json!({"credentials": {"username": "orders-service", "secret_arn": "arn:aws:secretsmanager:eu-west-2:123456789012:secret:x", "region": "eu-west-2", "port": "5432-5433"}}),
        json!({"secrets": {"db": "shop/prod/db-credentials"}}),
        json!({"password": "short"}),
        json!({"secret_scan": {"documents": "12345678", "rules": "revision-2026-11"}}),
    ];
    for value in passed {
        assert_eq!(scan_value(&value), [], "{value}");
    }
}
