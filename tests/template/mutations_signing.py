"""Defects of the signing key."""

from mutation import Mutation, add, drop, mutation, put

STATEMENTS = "SigningKey/Properties/KeyPolicy/Statement"
SUBSTITUTIONS = "StateMachine/Properties/DefinitionSubstitutions"

MUTATIONS: list[Mutation] = [
    mutation(
        "the signing key is of a kind that verify does not know",
        put("SigningKey/Properties/KeySpec", "RSA_2048"),
        caught_by="test_the_signing_key_is_of_the_kind_that_verify_knows",
    ),
    mutation(
        "the account may sign",
        add(f"{STATEMENTS}/Sid=GovernByIam/Action", "kms:Sign"),
        caught_by="test_only_m3j_signs",
    ),
    mutation(
        "the account may hand out grants to sign",
        add(f"{STATEMENTS}/Sid=GovernByIam/Action", "kms:CreateGrant"),
        caught_by="test_only_m3j_signs",
    ),
    mutation(
        "M3.I may sign",
        put(f"{STATEMENTS}/Sid=SignAsM3j/Principal", {"AWS": [{"Fn::GetAtt": [f"M3{s}Role", "Arn"]} for s in "ij"]}),
        caught_by="test_only_m3j_signs",
    ),
    mutation(
        "M3.I may sign with a given key",
        add("M3jSigningPolicy/Properties/Roles", {"Ref": "M3iRole"}),
        caught_by="test_each_step_has_exactly_what_it_uses",
    ),
    mutation(
        "M3.J may not sign",
        drop(f"{STATEMENTS}/Sid=SignAsM3j"),
        caught_by="test_only_m3j_signs",
    ),
    mutation(
        "M3.J may not sign with a given key",
        drop("M3jSigningPolicy"),
        caught_by="test_each_step_has_exactly_what_it_uses",
    ),
    mutation(
        "two policies say who signs with a key that is created",
        put("M3jSigningPolicy/Condition", "SignsWithKms"),
        put("M3jSigningPolicy/Properties/PolicyDocument/Statement/0/Resource", {"Fn::GetAtt": ["SigningKey", "Arn"]}),
        caught_by="test_each_step_has_exactly_what_it_uses",
    ),
    mutation(
        "the account may delete the signing key",
        drop(f"{STATEMENTS}/Sid=KeepKey"),
        caught_by="test_only_break_glass_may_delete_the_signing_key",
    ),
    mutation(
        "nobody may delete the signing key",
        drop(f"{STATEMENTS}/Sid=KeepKey/Condition"),
        caught_by="test_only_break_glass_may_delete_the_signing_key",
    ),
    mutation(
        "whoever IAM lets may say who signs",
        drop(f"{STATEMENTS}/Sid=KeepKeyPolicy"),
        caught_by="test_with_a_deployment_role_only_it_may_change_who_signs",
    ),
    mutation(
        "nobody may say who signs",
        drop(f"{STATEMENTS}/Sid=KeepKeyPolicy/Fn::If/1/Condition"),
        caught_by="test_with_a_deployment_role_only_it_may_change_who_signs",
    ),
    mutation(
        "M3.J is not told to sign",
        put(f"{SUBSTITUTIONS}/Signing", "off"),
        caught_by="test_m3j_is_told_what_to_sign_with",
    ),
    mutation(
        "M3.J is told of no key",
        put(f"{SUBSTITUTIONS}/SigningKey", {"Ref": "SigningKeyArn"}),
        caught_by="test_m3j_is_told_what_to_sign_with",
    ),
    mutation(
        "a key is created beside the given one to sign with",
        put("SigningKey/Condition", "SignsWithKms"),
        caught_by="test_m3j_is_told_what_to_sign_with",
    ),
    mutation(
        "M3.J is told of the file though it does not sign",
        put(
            f"{SUBSTITUTIONS}/SigningKey",
            {"Fn::If": ["CreatesSigningKey", {"Fn::GetAtt": ["SigningKey", "Arn"]}, "file"]},
        ),
        caught_by="test_m3j_is_told_what_to_sign_with",
    ),
]
