//! What a real `terraform output -json` holds below names like those of secrets, with the right answer for each.

use serde_json::{Value, json};

use super::scan_value;

/// Outputs that are no secrets: names, ARNs, ids and paths of secrets, settings, thumbprints.
const HARMLESS: &[(&str, &str)] = &[
    // Names and paths of secrets.
    ("db_credentials_secret", "shop/prod/db-credentials"),
    ("db_credentials_secret", "prod-db-credentials"),
    ("db_credentials_secret", "shop_prod_dbCredentials"),
    ("db_secret", "shop/orders"),
    ("app_secrets", "shop/prod/app-AbCdEf"),
    ("rds_master_user_secret", "rds!db-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"),
    (
        "rds_master_user_secret",
        "rds!cluster-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    ),
    ("redshift_admin_secret", "redshift!warehouse-admin"),
    (
        "connection_secret",
        "events!connection/orders/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    ),
    ("github_token_secret_name", "shop/github-token"),
    ("github_token", "shop/ci/github-token"),
    ("db_password", "/shop/prod/db/password"),
    ("db_password", "shop/prod/db/password"),
    ("slack_token", "ssm:/shop/prod/slack/token"),
    ("vault_secret", "secret/data/shop/db"),
    ("vault_token", "vault://secret/data/shop#token"),
    ("gcp_secret", "projects/shop-prod/secrets/db-password/versions/latest"),
    ("azure_secret", "https://shop-prod.vault.azure.net/secrets/db-password"),
    ("op_secret", "op://shop/database/password"),
    ("kubernetes_secret", "orders/db-credentials"),
    ("kubernetes_secret", "db-credentials"),
    ("docker_credentials", "shop-docker-credentials"),
    ("image_pull_secrets", "registry-credentials"),
    ("tls_secret", "ingress-tls-cert"),
    // ARNs and ids.
    (
        "secret_arn",
        "arn:aws:secretsmanager:eu-west-2:123456789012:secret:prod/db-AbCdEf",
    ),
    (
        "db_password",
        "arn:aws:ssm:eu-west-2:123456789012:parameter/shop/db/password",
    ),
    (
        "master_user_secret",
        "arn:aws:secretsmanager:eu-west-2:123456789012:secret:rds!db-0a1b-XyZaBc",
    ),
    ("encryption_key", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"),
    ("encryption_key", "mrk-0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
    ("encryption_key", "alias/shop-prod"),
    (
        "signing_key",
        "arn:aws:kms:eu-west-2:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    ),
    ("secret_version_id", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"),
    ("access_key_id_parameter", "/shop/ci/access-key-id"),
    ("token_issuer", "https://token.actions.githubusercontent.com"),
    ("api_key_id", "a1b2c3d4e5"),
    ("client_id", "7lhfs2f9aq4n3c8d0ek1gm5bvo"),
    // Thumbprints, tags, hashes.
    ("oidc_provider_thumbprint", "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"),
    ("github_oidc_thumbprints", "6938fd4d98bab03faadb97b34396831e3780aea1"),
    ("secret_object_etag", "d41d8cd98f00b204e9800998ecf8427e"),
    (
        "password_sha256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    ("lambda_code_sha256", "uPyhtaF4nmR1sKzQGXv0bT9Lw2cEdJ7M5oYiHxNkVg8="),
    (
        "cert_fingerprint",
        "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01",
    ),
    ("api_gateway_deployment_id", "abcdef1234"),
    ("s3_version_id", "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH"),
    // Names of policies, roles, groups, headers, fields.
    ("secrets_policy", "shop-prod-read-secrets-policy"),
    ("password_policy_name", "strong-password-policy-2026"),
    ("token_role", "shop-prod-token-exchange-role"),
    ("secret_rotation_lambda", "SecretsManagerRotationFunctionForPostgres"),
    ("csrf_token_header", "X-CSRF-Token-Header"),
    ("partition_key", "customer_id#2026"),
    ("sort_key", "event_timestamp_2026"),
    ("ssh_key_name", "shop-prod-bastion-2026"),
    (
        "public_key",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdummydummydummy somebody@example",
    ),
    // Settings.
    ("authorization", "AWS_IAM_and_more"),
    ("authorization", "COGNITO_USER_POOLS"),
    ("authorization", "CUSTOM_JWT"),
    ("authorization", "REQUEST_HEADER"),
    ("imds_token", "required"),
    ("http_tokens", "optional"),
    ("password", "disabled"),
    ("sso_password", "not-applicable"),
    ("credentials", "federated"),
    ("credentials", "instance-profile"),
    ("aws_credentials", "assume_role_with_workload_identity"),
    ("root_access_key", "not allowed"),
    ("token_endpoint_secret", "client_secret_basic"),
    ("oauth_secret", "private_key_jwt"),
    ("grant_credentials", "client_credentials"),
    ("api_key", "not_required"),
    ("auth_token", "disabled by default"),
    ("external_secrets", "enabled"),
    ("secrets", "managed-by-aws"),
    // Placeholders, masks, dates, files.
    ("db_password", "TO_PIN (after M2.B)"),
    ("db_password", "<set by the operator>"),
    ("db_password", "${var.db_password}"),
    ("db_password", "{{ db_password }}"),
    ("db_password", "{db_password}"),
    ("db_password", "$DB_PASSWORD"),
    ("db_password", "%DB_PASSWORD%"),
    ("db_password", "(sensitive value)"),
    ("db_password", "************"),
    ("db_password", "xxxxxxxxxxxx"),
    ("last_rotated_password", "2026-11-28"),
    ("next_rotation_of_secret", "2026-11-28T15:28:25.222Z"),
    ("token", "2026-11-28 15:28:25+00:00"),
    ("private_key", "./keys/deploy.pem"),
    ("private_key", "~/.ssh/id_rsa"),
    ("private_key", "keys/deploy-key.pem"),
    ("private_key", "shop-deploy-key.pem"),
    ("private_key", "C:\\keys\\deploy.pem"),
    ("private_key", "file:///etc/keys/deploy.pem"),
    ("secrets", "secrets.yaml"),
];

/// Outputs that are secrets, whatever they are called.
const SECRET: &[(&str, &str)] = &[
    ("db_password", "hunter2-hunter2"),
    ("client_secret", "summer!2026"),
    ("db_credentials", "welcome!1234"),
    ("app_secret", "!hunter2"),
    ("db_password", "$UMMER2026"),
    ("db_password", "TBD!x9K#2mQ"),
    ("db_password", "~/S3cret#99"),
    ("db_password", "/9j4AAQSkZJRgABAQ"),
    ("db_password", "file:S3cret#99"),
    ("db_password", "{{S3cret"),
    ("db_password", "arn:S3cret#99"),
    ("db_password", "terraform"),
    ("db_password", "anonymous"),
    ("authorization", "hunterhunter"),
    ("db_password", "hunter2 hunter2"),
    ("db_password", "Tr0ub4dor&3-staple"),
    ("db_password", "correct-horse-battery-staple"),
    ("db_password", "changeme"),
    ("db_password", "password"),
    ("db_password", "p@ssw0rd!2026"),
    ("db_password", "letmein-please"),
    ("db_password", "Zx9/Kq2vLw8+Tn4b"),
    ("rds_password", "b7K/x2Qp/mN4t/vZ8r"),
    ("admin_passphrase", "the quick brown fox"),
    ("db_secret", "hunter2-hunter2"),
    ("client_secret", "my-super-secret-value"),
    ("client_secret", "GQkz8Q~4jx2wLrPv9TnYb7mKdHs3fAeC1uXo5iZl"),
    ("client_secret", "7f3a9c1e5b8d2f4a6c0e9b7d5a3f1c8e"),
    ("app_credentials", "user1:Xk29vLq8Zw"),
    ("credentials", "dXNlcjpwYXNzd29yZA=="),
    ("authorization", "hunter2-hunter2"),
    ("authorization", "Basic dXNlcjpwYXNz"),
    ("auth_token", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
    ("auth_token", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"),
    ("github_token", "ghp_0123456789abcdefXYZ0123456789abcdef"),
    (
        "slack_secret",
        "https://hooks.slack.com/services/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",
    ),
    ("npm_token", "npm_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
    ("api_key", "a1b2c3d4e5f6"),
    ("signing_key", "c2VjcmV0LXNpZ25pbmcta2V5LTIwMjY="),
    ("encryption_key", "0123456789abcdef0123456789abcdef"),
    ("private_key", "MIIEowIBAAKCAQEAq7x"),
    ("token_sha256", "not-a-digest-but-a-token"),
    ("anything", "AKIAIOSFODNN7EXAMPLE"),
    ("anything", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("anything", "postgres://app:hunter2pass@db.internal:5432/shop"),
    (
        "anything",
        "-----BEGIN PRIVATE KEY-----\nMIIEow\n-----END PRIVATE KEY-----",
    ),
];

/// An output as Terraform writes it, as the value of a handle below a materialization, and as an item of a list.
fn shapes(name: &str, value: &str) -> [Value; 3] {
    [
        json!({name: {"sensitive": false, "type": "string", "value": value}}),
        json!({"shop_handle_materialization": {"sensitive": false, "value": {name.to_ascii_uppercase(): value}}}),
        json!({name: {"sensitive": false, "type": ["list", "string"], "value": [value]}}),
    ]
}

#[test]
fn references_settings_and_dates_are_no_secrets() {
    let mut stopped = Vec::new();
    for (name, value) in HARMLESS {
        for output in shapes(name, value) {
            let hits = scan_value(&output);
            if let Some(hit) = hits.first() {
                stopped.push(format!("{name} = {value}: {}", hit.rule));
            }
        }
    }
    println!("harmless outputs / stopped: {} / {}", HARMLESS.len(), stopped.len());
    assert_eq!(stopped, [""; 0]);
}

#[test]
fn secrets_below_their_names_are_found() {
    let mut missed = Vec::new();
    for (name, value) in SECRET {
        for output in shapes(name, value) {
            if scan_value(&output).is_empty() {
                missed.push(format!("{name} = {value}"));
            }
        }
    }
    println!("secret outputs / missed: {} / {}", SECRET.len(), missed.len());
    assert_eq!(missed, [""; 0]);
}
