"""The calls that must be refused, whoever makes them: attacks and mistakes, by what they would do."""

from __future__ import annotations

from collections.abc import Iterator

from calls import (
    COPY,
    CREATION,
    DESTROY_EVIDENCE,
    DESTROY_KEY,
    LATER_KEY,
    OVERWRITE,
    SAFEGUARDS,
    SIGNING,
    THROUGH_S3,
    Call,
    Places,
    of_functions,
    own_keys,
    unique,
    STAMP,
)
from deployment import (
    ADMINISTRATOR,
    BREAK_GLASS_ROLE,
    DEPLOYMENT_ROLE,
    LATER_PHASE_ROLE,
    OPERATOR,
    ROOT_USER,
    STEP_ROLES,
    STEPS,
    UPSTREAM_ROLE,
    Deployment,
)
from identifiers import ACCOUNT, regional
from source import REGION

# Principals whose own policies allow them everything.
MIGHTY = [ADMINISTRATOR, DEPLOYMENT_ROLE, UPSTREAM_ROLE, LATER_PHASE_ROLE, ROOT_USER]
OTHER_ACCOUNT = "444455556666"


def of_evidence(deployment: Deployment) -> Iterator[Call]:
    """Writes to another step's folder or to a run to come, overwrites, copies and deletions."""
    places = Places(deployment)
    everybody = [*STEP_ROLES, *MIGHTY, BREAK_GLASS_ROLE, "OperatorRole", "StateMachineRole", "HandoffRole"]
    for key, makers in own_keys().items():
        # Also of a run to come: a write there would pin the run before its time.
        for place in (key, key.replace("20260223", "20991231")):
            resource = f"{places.evidence}/{place}"
            for who in set(everybody) - makers:
                yield Call(who, "s3:PutObject", resource, CREATION)
        for who in {*makers, *MIGHTY, BREAK_GLASS_ROLE}:
            for keys in (OVERWRITE, COPY, COPY | CREATION):
                yield Call(who, "s3:PutObject", f"{places.evidence}/{key}", keys)
    for key in (*own_keys(), LATER_KEY):
        for action in DESTROY_EVIDENCE:
            for who in (*STEP_ROLES, *MIGHTY, "OperatorRole"):
                yield Call(who, f"s3:{action}", f"{places.evidence}/{key}")
    for who in set(everybody) - {LATER_PHASE_ROLE}:
        yield Call(who, "s3:PutObject", f"{places.evidence}/{LATER_KEY}", CREATION)


def of_buckets(deployment: Deployment) -> Iterator[Call]:
    """Changes of a bucket's safeguards, and calls without TLS."""
    places = Places(deployment)
    for who in (*STEP_ROLES, ADMINISTRATOR, UPSTREAM_ROLE, LATER_PHASE_ROLE, ROOT_USER, "OperatorRole"):
        for action in SAFEGUARDS:
            yield Call(who, f"s3:{action}", places.evidence)
    for who in (*STEP_ROLES, *MIGHTY, "OperatorRole"):
        yield Call(who, "s3:PutBucketVersioning", places.evidence)
    plainly = {"aws:SecureTransport": "false"}
    for bucket in (places.evidence, places.object_store, places.artifacts):
        for who in (ADMINISTRATOR, BREAK_GLASS_ROLE, DEPLOYMENT_ROLE):
            yield Call(who, "s3:GetObject", f"{bucket}/any/key", plainly)
            yield Call(who, "s3:PutObject", f"{bucket}/any/key", plainly | CREATION)
            yield Call(who, "s3:ListBucket", bucket, plainly)


def of_steps(deployment: Deployment) -> Iterator[Call]:
    """The calls of one step, made by another. Reads of evidence are left out: a step may read more than it does."""
    places = Places(deployment)
    asked = unique(of_functions(deployment))
    own = {(call.principal, call.action, call.resource) for call in asked}
    for call in asked:
        if call.resource.startswith(f"{places.evidence}/") and call.action.startswith("s3:Get"):
            continue
        for role in (*STEP_ROLES, "StateMachineRole", "HandoffRole"):
            if (role, call.action, call.resource) not in own:
                yield Call(role, call.action, call.resource, call.keys)
    for role in STEP_ROLES:
        # Other machines, buckets, documents and functions.
        for action, resource in (
            ("states:DescribeStateMachine", f"{places.machine}-2"),
            ("states:DescribeExecution", places.execution.replace(":execution:", ":execution:other-")),
            ("s3:GetObject", f"{places.artifacts}/p1/another.md"),
            ("s3:GetObject", f"{places.evidence}/{places.run_control}/m1_secret/key.json"),
            ("s3:GetObject", f"{places.evidence}/evidence/other/run_control/m3a_{STAMP}/m3a_observations.json"),
            ("s3:PutObject", f"{places.evidence}/evidence/other/run_control/m3a_{STAMP}/m3a_observations.json"),
            ("s3:ListBucket", "arn:aws:s3:::another-bucket"),
            ("lambda:InvokeFunction", f"{deployment.arn('M3jFunction')}:1"),
        ):
            yield Call(role, action, resource)
        for other in STEP_ROLES:
            group = deployment.ref(f"{other.removesuffix('Role')}LogGroup")
            if other != role:
                yield Call(role, "logs:PutLogEvents", regional("logs", f"log-group:{group}:log-stream:x"))


def of_the_machine(deployment: Deployment) -> Iterator[Call]:
    """Starts by others than the rule, through its alias, and operators; starts of another machine; and changes of the machine."""
    places = Places(deployment)
    every_role = list(deployment.of_type("AWS::IAM::Role"))
    qualifiers = [{}, *({"states:StateMachineQualifier": [name]} for name in ("live", "dev", "1"))]
    for role in every_role:
        for keys in qualifiers:
            if role not in ("HandoffRole", "OperatorRole"):
                yield Call(role, "states:StartExecution", places.machine, keys)
            yield Call(role, "states:StartExecution", f"{places.machine}-2", keys)
        if role != "OperatorRole":
            for action in ("states:StopExecution", "states:RedriveExecution"):
                yield Call(role, action, places.execution)
        for action in ("states:UpdateStateMachine", "states:DeleteStateMachine", "states:UpdateStateMachineAlias"):
            yield Call(role, action, places.machine)
    for keys in (qualifiers[0], *qualifiers[2:]):
        yield Call("HandoffRole", "states:StartExecution", places.machine, keys)
    # The machine may invoke versions of the ten functions, and nothing else.
    for step in STEPS:
        function = deployment.arn(f"M3{step}Function")
        for other in (function, f"{function}-2:1", function.replace("-m3", "-m4") + ":1"):
            yield Call("StateMachineRole", "lambda:InvokeFunction", other)


def of_keys(deployment: Deployment) -> Iterator[Call]:
    """Uses of a key other than through S3, deletions, changes of who may use it, and signatures."""
    places = Places(deployment)
    for role in (*STEP_ROLES, "OperatorRole"):
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            yield Call(role, action, places.evidence_key)
            yield Call(role, action, places.evidence_key, {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"})
    yield Call("OperatorRole", "kms:GenerateDataKey", places.evidence_key, THROUGH_S3)
    for who in (*MIGHTY, *STEP_ROLES, "OperatorRole"):
        for key in (places.evidence_key, places.signing_key):
            for action in DESTROY_KEY:
                yield Call(who, f"kms:{action}", key)
            if who != DEPLOYMENT_ROLE:
                yield Call(who, "kms:PutKeyPolicy", key)
            yield Call(who, "kms:CreateGrant", key)
        if who != "M3jRole":
            yield Call(who, "kms:Sign", places.signing_key, SIGNING)


def of_roles(deployment: Deployment) -> Iterator[Call]:
    """Assumptions of roles by others than those whom the roles are for."""
    home, abroad = {"aws:SourceAccount": ACCOUNT}, {"aws:SourceAccount": OTHER_ACCOUNT}
    machine = deployment.arn("StateMachine")
    for role in deployment.of_type("AWS::IAM::Role"):
        services = {"lambda.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com", "ec2.amazonaws.com"}
        own = {"StateMachineRole": "states.amazonaws.com", "HandoffRole": "events.amazonaws.com", "OperatorRole": None}
        services -= {own.get(role, "lambda.amazonaws.com")}
        for service in services:
            yield Call(service, "sts:AssumeRole", deployment.arn(role), home | {"aws:SourceArn": machine})
        # They must be refused although their own policies allow it.
        people = {OPERATOR, f"arn:aws:iam::{ACCOUNT}:user/somebody"} - ({OPERATOR} if role == "OperatorRole" else set())
        for who in people:
            yield Call(who, "sts:AssumeRole", deployment.arn(role))
    role = deployment.arn("StateMachineRole")
    for keys in (
        home | {"aws:SourceArn": f"{machine}-2"},
        abroad | {"aws:SourceArn": machine},
        abroad | {"aws:SourceArn": machine.replace(ACCOUNT, OTHER_ACCOUNT)},
    ):
        yield Call("states.amazonaws.com", "sts:AssumeRole", role, keys)
    yield Call("events.amazonaws.com", "sts:AssumeRole", deployment.arn("HandoffRole"), abroad)


def of_the_queue(deployment: Deployment) -> Iterator[Call]:
    """Messages to the dead-letter queue by others than the rule, and calls without TLS."""
    queue, rule = deployment.arn("HandoffDeadLetters"), deployment.arn("HandoffRule")
    yield Call("events.amazonaws.com", "sqs:SendMessage", queue, {"aws:SourceArn": f"{rule}-2"})
    yield Call("sns.amazonaws.com", "sqs:SendMessage", queue, {"aws:SourceArn": rule})
    told = deployment.arn("VerdictRule")
    yield Call("events.amazonaws.com", "sqs:SendMessage", queue, {"aws:SourceArn": f"{told}-2"})
    yield Call("sns.amazonaws.com", "sqs:SendMessage", queue, {"aws:SourceArn": told})
    for who in (*STEP_ROLES, "OperatorRole", "HandoffRole"):
        yield Call(who, "sqs:SendMessage", queue)
        yield Call(who, "sqs:PurgeQueue", queue)
    for who in (ADMINISTRATOR, DEPLOYMENT_ROLE):
        for action in ("sqs:SendMessage", "sqs:ReceiveMessage"):
            yield Call(who, action, queue, {"aws:SecureTransport": "false"})


def of_operators(deployment: Deployment) -> Iterator[Call]:
    """Writes by an operator, and reads of what is not P1's."""
    places, role = Places(deployment), "OperatorRole"
    for action, resource in (
        ("s3:GetObject", f"{places.evidence}/elsewhere/key.json"),
        ("s3:GetObject", f"{places.artifacts}/p1/handles.registry.md"),
        ("cloudformation:DescribeStacks", regional("cloudformation", "stack/another/0000")),
        ("cloudformation:UpdateStack", regional("cloudformation", "stack/p1/0000")),
        ("ssm:GetParameter", regional("ssm", "parameter/another/secret")),
        ("logs:FilterLogEvents", regional("logs", "log-group:/aws/lambda/another:log-stream:")),
        ("logs:DeleteLogGroup", regional("logs", f"log-group:{deployment.ref('M3aLogGroup')}")),
        ("cloudwatch:GetDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/another"),
        ("sqs:DeleteMessage", deployment.arn("HandoffDeadLetters")),
        ("sqs:ReceiveMessage", regional("sqs", "another")),
        ("states:ListExecutions", f"{places.machine}-2"),
        ("states:GetExecutionHistory", places.execution.replace(":execution:", ":execution:other-")),
    ):
        yield Call(role, action, resource)


def all_refusals(deployment: Deployment) -> list[Call]:
    """Every refusal, once. The deployment must have every optional part."""
    parts = (of_evidence, of_buckets, of_steps, of_the_machine, of_keys, of_roles, of_the_queue, of_operators)
    return unique(call for part in parts for call in part(deployment))
