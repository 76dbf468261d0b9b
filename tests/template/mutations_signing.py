"""Defects of the signing key."""

from mutation import Mutation, add, caught_by, drop, put

STATEMENTS = "SigningKey/Properties/KeyPolicy/Statement"
SUBSTITUTIONS = "StateMachine/Properties/DefinitionSubstitutions"

MUTATIONS: list[Mutation] = [
    *caught_by(
        "test_the_signing_key_is_of_the_kind_that_verify_knows",
        ("the signing key is of a kind that verify does not know", put("SigningKey/Properties/KeySpec", "RSA_2048")),
    ),
    *caught_by(
        "test_only_m3j_signs",
        ("the account may sign", add(f"{STATEMENTS}/Sid=GovernByIam/Action", "kms:Sign")),
        ("the account may hand out grants to sign", add(f"{STATEMENTS}/Sid=GovernByIam/Action", "kms:CreateGrant")),
        (
            "M3.I may sign",
            put(
                f"{STATEMENTS}/Sid=SignAsM3j/Principal", {"AWS": [{"Fn::GetAtt": [f"M3{s}Role", "Arn"]} for s in "ij"]}
            ),
        ),
        ("M3.J may not sign", drop(f"{STATEMENTS}/Sid=SignAsM3j")),
    ),
    *caught_by(
        "test_each_step_has_exactly_what_it_uses",
        ("M3.I may sign with a given key", add("M3jSigningPolicy/Properties/Roles", {"Ref": "M3iRole"})),
        ("M3.J may not sign with a given key", drop("M3jSigningPolicy")),
        (
            "two policies say who signs with a key that is created",
            put("M3jSigningPolicy/Condition", "SignsWithKms"),
            put(
                "M3jSigningPolicy/Properties/PolicyDocument/Statement/0/Resource", {"Fn::GetAtt": ["SigningKey", "Arn"]}
            ),
        ),
    ),
    *caught_by(
        "test_only_break_glass_may_delete_the_signing_key",
        ("the account may delete the signing key", drop(f"{STATEMENTS}/Sid=KeepKey")),
        ("nobody may delete the signing key", drop(f"{STATEMENTS}/Sid=KeepKey/Condition")),
    ),
    *caught_by(
        "test_with_a_deployment_role_only_it_may_change_who_signs",
        ("whoever IAM lets may say who signs", drop(f"{STATEMENTS}/Sid=KeepKeyPolicy")),
        ("nobody may say who signs", drop(f"{STATEMENTS}/Sid=KeepKeyPolicy/Fn::If/1/Condition")),
    ),
    *caught_by(
        "test_m3j_is_told_what_to_sign_with",
        ("M3.J is not told to sign", put(f"{SUBSTITUTIONS}/Signing", "off")),
        ("M3.J is told of no key", put(f"{SUBSTITUTIONS}/SigningKey", {"Ref": "SigningKeyArn"})),
        ("a key is created beside the given one to sign with", put("SigningKey/Condition", "SignsWithKms")),
        (
            "M3.J is told of the file though it does not sign",
            put(
                f"{SUBSTITUTIONS}/SigningKey",
                {"Fn::If": ["CreatesSigningKey", {"Fn::GetAtt": ["SigningKey", "Arn"]}, "file"]},
            ),
        ),
    ),
]
