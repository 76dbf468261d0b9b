"""The key that M3.J signs its verdict with: only M3.J may use it, and nobody else can gain that right."""

from access import ALLOWED, DENIED, decide
from deployment import ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, GIVEN_KEY, ROOT_USER, UPSTREAM_ROLE, Platform

KEY = "SigningKey"
OUTSIDE = [ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE, UPSTREAM_ROLE, ROOT_USER]


def test_the_signing_key_is_of_the_kind_that_verify_knows(platform: Platform):
    """The key is ECDSA on P-256, to sign and to verify and nothing else."""
    key = platform.deploy()[KEY]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")


def test_only_m3j_signs(platform: Platform):
    """The role of M3.J may sign, and no other role, operator or administrator."""
    deployment = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)
    key = deployment.arn(KEY)
    for role in deployment.of_type("AWS::IAM::Role"):
        assert (decide(deployment, role, "kms:Sign", key) == ALLOWED) == (role == "M3jRole"), role
    for principal in OUTSIDE:
        for action in ("kms:Sign", "kms:CreateGrant"):
            assert decide(deployment, principal, action, key) != ALLOWED, (principal, action)


def test_only_break_glass_may_delete_the_signing_key(platform: Platform):
    """Only the break-glass role may delete or disable the key: old evidence is verified with it."""
    deployment = platform.deploy()
    key = deployment.arn(KEY)
    for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey"):
        for principal in (ADMINISTRATOR, DEPLOYMENT_ROLE, "OperatorRole", "M3jRole"):
            assert decide(deployment, principal, action, key) != ALLOWED, (principal, action)
        assert decide(deployment, BREAK_GLASS_ROLE, action, key) == ALLOWED, action


def test_with_a_deployment_role_only_it_may_change_who_signs(platform: Platform):
    """Where a deployment role is named, only it and the break-glass role may change the key's policy, and with it who signs."""
    deployment = platform.deploy(DeploymentRoleArn=DEPLOYMENT_ROLE)
    key = deployment.arn(KEY)
    assert decide(deployment, ADMINISTRATOR, "kms:PutKeyPolicy", key) == DENIED
    for principal in (DEPLOYMENT_ROLE, BREAK_GLASS_ROLE):
        assert decide(deployment, principal, "kms:PutKeyPolicy", key) == ALLOWED, principal


def test_m3j_is_told_what_to_sign_with(platform: Platform):
    """The machine tells M3.J what to sign with: a created or a given key, a file, or nothing. Only the first creates a key."""

    def told(deployment) -> tuple[str, str]:
        substitutions = deployment["StateMachine"]["DefinitionSubstitutions"]
        return substitutions["Signing"], substitutions["SigningKey"]

    usual = platform.deploy()
    assert told(usual) == ("kms", usual.arn(KEY))
    for parameters, with_what in (
        ({"SigningKeyArn": GIVEN_KEY}, ("kms", GIVEN_KEY)),
        ({"Signing": "local_key", "SigningKeyFile": "/keys/signing.pem"}, ("local_key", "/keys/signing.pem")),
        ({"Signing": "off"}, ("off", "")),
    ):
        deployment = platform.deploy(**parameters)
        assert KEY not in deployment, parameters
        assert told(deployment) == with_what
