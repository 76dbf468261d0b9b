"""Every call that is made to AWS, as AWS authorises it. All of them must be allowed, or a deployment does not work.

The functions' own calls are listed by hand in calls.json, by operation and place; tests/e2e/calls.rs compares the list with
the calls that the functions make. Here they become actions, resources and condition keys. The calls of AWS's services, of people
and of other phases are listed here, with their sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from access import request
from deployment import (
    BREAK_GLASS_ROLE,
    DEPLOYMENT_ROLE,
    LATER_PHASE_ROLE,
    OPERATOR,
    STEPS,
    UPSTREAM_ROLE,
    Deployment,
)
from identifiers import ACCOUNT, STACK_ID, regional
from oracle import Request
from source import REGION, ROOT

TABLE = ROOT / "tests/template/calls.json"

# The environment of calls.json, which is the default one.
ENVIRONMENT = "dev_full"
STAMP = "20260223T061612Z"
EXECUTION = "5c3c0f8e-0000-0000-0000-000000000000"

# The condition keys of requests (service authorization reference). S3 tells the creation of an object from a part of an upload.
CREATION = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
OVERWRITE = {"s3:ObjectCreationOperation": "true"}
PART = {"s3:ObjectCreationOperation": "false"}
COPY = {"s3:ObjectCreationOperation": "true", "s3:x-amz-copy-source": "elsewhere/key"}
SIGNING = {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"}


@dataclass(frozen=True)
class Call:
    """A call: who asks, for what, and which condition keys come with it."""

    # The logical name of a role of the deployment, an ARN, or a service.
    principal: str
    action: str
    resource: str
    keys: dict = field(default_factory=dict)
    # The policy of a principal from outside; without one it is allowed everything.
    policy: dict | None = None

    def request(self, deployment: Deployment) -> Request:
        """As AWS gets it."""
        outside = {} if self.policy is None else {"outside": self.policy}
        return request(deployment, self.principal, self.action, self.resource, self.keys, **outside)

    def __str__(self) -> str:
        return f"{self.principal}: {self.action} {self.resource} {self.keys or ''}"


class Places:
    """The resources that the calls of a deployment are made to."""

    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        parameters = deployment.parameters
        self.evidence = f"arn:aws:s3:::{parameters['EvidenceBucketName']}"
        self.environment = f"evidence/{parameters['Environment']}/"
        self.run_control = f"{self.environment}run_control"
        self.index = f"{self.environment}index/scenario/scenario_{STAMP}"
        self.object_store = f"arn:aws:s3:::{parameters['ObjectStoreBucketName']}"
        self.artifacts = f"arn:aws:s3:::{parameters['ArtifactsBucketName']}"
        self.machine = deployment.arn("StateMachine")
        self.execution = self.machine.replace(":stateMachine:", ":execution:") + f":{EXECUTION}"
        self.evidence_key = parameters["EvidenceKeyArn"] or (
            "EvidenceKey" in deployment and deployment.arn("EvidenceKey")
        )
        self.signing_key = parameters["SigningKeyArn"] or ("SigningKey" in deployment and deployment.arn("SigningKey"))

    def documents(self, place: str) -> list[str]:
        """The objects that a setting names: none where it names none, or is not used."""
        parameter = {
            "registry": "RegistryUri",
            "stack_outputs": "StackOutputsUris",
            "billing_artifact": "BillingArtifactUri",
        }
        uris = self.deployment.parameters[parameter[place]].split(",")
        return [f"arn:aws:s3:::{uri.removeprefix('s3://')}" for uri in uris if uri]

    def objects(self, place: str, key: str | None) -> list[str]:
        """The objects of a row."""
        match place:
            case "evidence":
                return [f"{self.evidence}/{self.sample(key)}"]
            case "object_store":
                return [f"{self.object_store}/{sample(key)}"]
            case "artifacts":
                return [f"{self.artifacts}/{sample(key)}"]
        return self.documents(place)

    def sample(self, key: str) -> str:
        """A key of evidence that a pattern of calls.json stands for, in the deployment's environment."""
        return sample(key).replace(f"evidence/{ENVIRONMENT}/", self.environment)

    def may_be_missing(self, place: str) -> str | None:
        """The bucket in which the code must see that an object is missing: without s3:ListBucket S3 answers AccessDenied."""
        buckets = {"evidence": self.evidence, "object_store": self.object_store}
        return {**buckets, "registry": self.artifacts, "artifacts": self.artifacts}.get(place)


def sample(key: str) -> str:
    """A key that a pattern stands for."""
    return key.replace("*", STAMP)


# The condition keys with which S3 asks KMS for an object. S3 also sends an encryption context with the bucket. The simulator does
# not know that key, whose name depends on the request, and no policy here uses it.
THROUGH_S3 = {
    "kms:ViaService": f"s3.{REGION}.amazonaws.com",
    "kms:CallerAccount": ACCOUNT,
    "kms:EncryptionContextKeys": ["aws:s3:arn"],
}


def rows() -> list[dict]:
    """The functions' own calls, as calls.json lists them."""
    return json.loads(TABLE.read_text("utf-8"))


def of_functions(deployment: Deployment) -> Iterator[Call]:
    """The calls of the functions' code."""
    places = Places(deployment)
    for row in rows():
        yield from _of_row(places, role_of(row["owner"]), row)


def role_of(owner: str) -> str:
    """The role of the owner of a row: `M3.A` has that of its step, the admission of a rerun that of M3.G, a phase entry that of M3.J."""
    return {"ADMISSION": "M3gRole", "ENTRY": "M3jRole"}.get(owner) or f"M3{owner[3].lower()}Role"


def _of_row(places: Places, role: str, row: dict) -> Iterator[Call]:
    match row["service"], row["operation"]:
        case "s3", "HeadObject":
            # The init phase makes its connection with it. The answer is ignored, but a refusal would appear in the account's trail
            # at each start.
            for resource in places.objects(row["place"], row["key"]):
                yield Call(role, "s3:GetObject", resource)
        case "s3", "GetObject":
            action = "s3:GetObjectVersion" if row["version"] else "s3:GetObject"
            keys = {"s3:versionid": "3HL4kqtJlcpXroDTDmJ"} if row["version"] else {}
            for resource in places.objects(row["place"], row.get("key")):
                yield Call(role, action, resource, keys)
            if (bucket := places.may_be_missing(row["place"])) and not row["version"]:
                yield Call(role, "s3:ListBucket", bucket)
            if row["place"] == "evidence" and places.evidence_key:
                yield Call(role, "kms:Decrypt", places.evidence_key, THROUGH_S3)
        case "s3", "PutObject":
            for resource in places.objects(row["place"], row["key"]):
                yield Call(role, "s3:PutObject", resource, CREATION)
            if places.evidence_key:
                yield Call(role, "kms:GenerateDataKey", places.evidence_key, THROUGH_S3)
        case "s3", "ListObjectsV2":
            yield Call(role, "s3:ListBucket", places.evidence, {"s3:prefix": places.sample(row["key"])})
        case "s3", "ListObjectVersions":
            yield Call(role, "s3:ListBucketVersions", places.evidence, {"s3:prefix": places.sample(row["key"])})
        case "s3", "GetBucketVersioning":
            yield Call(role, "s3:GetBucketVersioning", places.evidence)
        case "states", "DescribeStateMachine":
            yield Call(role, "states:DescribeStateMachine", places.machine)
        case "states", "DescribeExecution":
            yield Call(role, "states:DescribeExecution", places.execution)
        case "ce", "GetCostAndUsage":
            if places.deployment.parameters["CostSource"] == "cost_explorer":
                yield Call(role, "ce:GetCostAndUsage", "*")
        case "kms", "Sign" | "GetPublicKey":
            if places.deployment.parameters["Signing"] == "kms":
                keys = SIGNING if row["operation"] == "Sign" else {}
                yield Call(role, f"kms:{row['operation']}", places.signing_key, keys)
        case other:
            raise AssertionError(f"{TABLE.name}: what AWS authorises for {other} is not known here")


# Step Functions developer guide, "Using CloudWatch Logs to log execution history", and "Permissions for X-Ray".
DELIVERIES = (
    "CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries PutResourcePolicy "
    "DescribeResourcePolicies DescribeLogGroups"
).split()
SAMPLING = ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")


def of_services(deployment: Deployment) -> Iterator[Call]:
    """The calls that Lambda, Step Functions and EventBridge make with the roles, and those with which they assume them."""
    places = Places(deployment)
    machine_role, of_machine = the_machine_s_role(deployment)
    for step in STEPS:
        role, group = f"M3{step}Role", deployment.ref(f"M3{step}LogGroup")
        yield Call("lambda.amazonaws.com", "sts:AssumeRole", deployment.arn(role))
        # Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs", and "Visualize … using AWS X-Ray".
        stream = regional("logs", f"log-group:{group}:log-stream:2026/02/23/[1]{STAMP}")
        yield Call(role, "logs:CreateLogStream", stream)
        yield Call(role, "logs:PutLogEvents", stream)
        for action in SAMPLING[:2]:
            yield Call(role, f"xray:{action}", "*")
        # An execution keeps the versions that it began with: any version may be invoked.
        for version in ("1", "17"):
            function = f"{deployment.arn(f'M3{step}Function')}:{version}"
            yield Call(machine_role, "lambda:InvokeFunction", function, policy=of_machine)
    for action in DELIVERIES:
        yield Call(machine_role, f"logs:{action}", "*", policy=of_machine)
    for action in SAMPLING:
        yield Call(machine_role, f"xray:{action}", "*", policy=of_machine)
    # Step Functions developer guide, "Prevent cross-service confused deputy": the machine's ARN, or a version's.
    for source in (places.machine, f"{places.machine}:1") if "StateMachineRole" in deployment else ():
        keys = {"aws:SourceArn": source, "aws:SourceAccount": ACCOUNT}
        yield Call("states.amazonaws.com", "sts:AssumeRole", deployment.arn("StateMachineRole"), keys)
    rule = deployment.arn("HandoffRule")
    keys = {"aws:SourceArn": rule, "aws:SourceAccount": ACCOUNT}
    yield Call("events.amazonaws.com", "sts:AssumeRole", deployment.arn("HandoffRole"), keys)
    yield Call("HandoffRole", "states:StartExecution", places.machine, qualified(deployment))
    # EventBridge user guide, "Using dead-letter queues": the rule's ARN is the source.
    for name in ("HandoffRule", "VerdictRule", "AdvanceRule"):
        if name in deployment:
            keys = {"aws:SourceArn": deployment.arn(name)}
            yield Call("events.amazonaws.com", "sqs:SendMessage", deployment.arn("HandoffDeadLetters"), keys)


def the_machine_s_role(deployment: Deployment) -> tuple[str, dict | None]:
    """The machine's role: one of the deployment, or a given one, which has the policy that the guide asks for."""
    if "StateMachineRole" in deployment:
        return "StateMachineRole", None
    return deployment["StateMachine"]["RoleArn"], guided(deployment, "state-machine-role-policy.json")


def guided(deployment: Deployment, name: str) -> dict:
    """A policy of the machine's role as the guide has it for a role that exists, with its places filled in."""
    text = (ROOT / "docs" / name).read_text("utf-8")
    parameters = deployment.parameters
    filled = {
        "REGION": REGION,
        "ACCOUNT": ACCOUNT,
        "PREFIX": parameters["FunctionNamePrefix"],
        "MACHINE": parameters["StateMachineName"],
    }
    for place, value in filled.items():
        text = text.replace(place, value)
    return json.loads(text)


def qualified(deployment: Deployment, qualifier: str = "live") -> dict:
    """The condition keys of a start through an alias; none where the deployment has no alias.

    In both cases the resource is the machine (Step Functions developer guide, "Authorization for versions and aliases").
    """
    return {"states:StateMachineQualifier": [qualifier]} if "StateMachineAlias" in deployment else {}


# The actions of AWSStepFunctionsReadOnlyAccess, by the resource that each takes (service authorization reference, AWS Step
# Functions). Left out are activities and map runs, which this machine has none of, and ValidateStateMachineDefinition, since an
# operator changes no definition.
SEES_MACHINE = (
    "DescribeStateMachine DescribeStateMachineAlias ListExecutions ListStateMachineAliases ListStateMachineVersions "
    "ListTagsForResource"
).split()
SEES_EXECUTION = "DescribeExecution DescribeStateMachineForExecution GetExecutionHistory".split()


def of_operators(deployment: Deployment) -> Iterator[Call]:
    """The calls of an operator who follows docs/operators.md, in the console and with `cargo p1`."""
    places, role = Places(deployment), "OperatorRole"
    yield Call(OPERATOR, "sts:AssumeRole", deployment.arn(role))
    # The console starts the machine, a version or the alias; `cargo p1 run --input` the machine.
    yield Call(role, "states:StartExecution", places.machine)
    yield Call(role, "states:StartExecution", places.machine, qualified(deployment))
    yield Call(role, "states:ListStateMachines", "*")
    for action in SEES_MACHINE:
        yield Call(role, f"states:{action}", places.machine)
    for action in (*SEES_EXECUTION, "RedriveExecution", "StopExecution"):
        yield Call(role, f"states:{action}", places.execution)
    # `cargo p1 --stack`, `verify s3://…`, and the outputs of docs/terraform.md.
    yield Call(role, "cloudformation:DescribeStacks", STACK_ID)
    path = deployment.parameters["ParameterPath"]
    for name in (f"{path}/state_machine_arn", f"{path}/start_arn"):
        yield Call(role, "ssm:GetParameter", regional("ssm", f"parameter{name}"))
        yield Call(role, "ssm:GetParameters", regional("ssm", f"parameter{name}"))
    yield Call(role, "ssm:GetParametersByPath", regional("ssm", f"parameter{path}"))
    # `cargo p1 runs --scenario`.
    yield Call(role, "s3:ListBucket", places.evidence, {"s3:prefix": f"{places.index}/"})
    yield Call(role, "s3:GetObject", f"{places.evidence}/{places.index}/platform_{STAMP}.json")
    for key in (f"{places.run_control}/m3i_{STAMP}/m3i_p1_verdict.json", f"evidence/runs/{STAMP}/run.json"):
        yield Call(role, "s3:GetObject", f"{places.evidence}/{key}")
        yield Call(role, "s3:GetObjectVersion", f"{places.evidence}/{key}", {"s3:versionid": "3HL4kqtJlcpXroDTDmJ"})
    yield Call(role, "s3:ListBucket", places.evidence, {"s3:prefix": "evidence/runs/"})
    yield Call(role, "s3:ListBucketVersions", places.evidence, {"s3:prefix": "evidence/runs/"})
    if places.evidence_key:
        yield Call(role, "kms:Decrypt", places.evidence_key, THROUGH_S3)
    groups = [deployment.ref(f"M3{step}LogGroup") for step in STEPS] + [deployment.ref("StateMachineLogGroup")]
    for group in groups:
        # For an action on the whole group AWS checks a stream without a name. This is why policies have `:*` after a group's ARN.
        for action in ("FilterLogEvents", "StartQuery", "GetQueryResults"):
            yield Call(role, f"logs:{action}", regional("logs", f"log-group:{group}:log-stream:"))
        yield Call(role, "logs:GetLogEvents", regional("logs", f"log-group:{group}:log-stream:{STAMP}"))
    for action in ("logs:StopQuery", "logs:DescribeQueryDefinitions"):
        yield Call(role, action, "*")
    for action in ("cloudwatch:GetMetricData", "xray:BatchGetTraces", "xray:GetTraceSummaries"):
        yield Call(role, action, "*")
    dashboard = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{deployment.parameters['FunctionNamePrefix']}"
    yield Call(role, "cloudwatch:GetDashboard", dashboard)
    for action in ("GetQueueAttributes", "ReceiveMessage"):
        yield Call(role, f"sqs:{action}", deployment.arn("HandoffDeadLetters"))


def of_other_phases(deployment: Deployment) -> Iterator[Call]:
    """The calls of M2 and of the phases from M4 on, with the policies that docs/terraform.md gives them."""
    places = Places(deployment)
    receipt = f"{places.evidence}/{places.run_control}/m2j_{STAMP}/m2j_m3_entry_readiness_receipt.json"
    via_s3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    m2 = policy(
        allow("s3:PutObject", f"{places.evidence}/{places.run_control}/m2j_*"),
        allow("kms:GenerateDataKey", places.evidence_key, Condition=via_s3),
    )
    # The object is written in one piece or in parts. The completion of the parts creates it.
    for keys in (CREATION, PART):
        yield Call(UPSTREAM_ROLE, "s3:PutObject", receipt, keys, m2)
    yield Call(UPSTREAM_ROLE, "kms:GenerateDataKey", places.evidence_key, THROUGH_S3, m2)
    later = policy(
        allow(
            ["s3:GetObject", "s3:GetObjectVersion"],
            [f"{places.evidence}/{places.run_control}/m3*", f"{places.evidence}/evidence/runs/*"],
        ),
        allow("s3:ListBucket", places.evidence),
        allow("kms:Decrypt", places.evidence_key),
        allow("s3:PutObject", f"{places.evidence}/evidence/runs/*"),
        allow("kms:GenerateDataKey", places.evidence_key),
    )
    for key in (
        f"{places.run_control}/m3j_{STAMP}/m4_entry_readiness_receipt.json",
        f"evidence/runs/{STAMP}/run.json",
    ):
        yield Call(LATER_PHASE_ROLE, "s3:GetObject", f"{places.evidence}/{key}", {}, later)
    yield Call(LATER_PHASE_ROLE, "s3:ListBucket", places.evidence, {}, later)
    # An ordinary write, the completion and the parts of an upload, and a copy.
    for keys in (OVERWRITE, CREATION, PART, COPY):
        yield Call(LATER_PHASE_ROLE, "s3:PutObject", f"{places.evidence}/{LATER_KEY}", keys, later)
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        yield Call(LATER_PHASE_ROLE, action, places.evidence_key, THROUGH_S3, later)


LATER_KEY = f"evidence/runs/platform_{STAMP}/m4/receipt.json"


def policy(*statements: dict) -> dict:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action, resource, **rest) -> dict:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


# The actions on a key that IAM policies of the account may allow: to CloudFormation for the stack (the handlers of AWS::KMS::Key
# and AWS::KMS::Alias), to people who follow docs/deploy.md, "Rotate the keys" and "Tear down", and to auditors.
GOVERN = (
    "CreateAlias UpdateAlias DeleteAlias DescribeKey GetKeyPolicy ListKeyPolicies ListResourceTags PutKeyPolicy "
    "TagResource UntagResource UpdateKeyDescription EnableKey CancelKeyDeletion"
).split()
GOVERN_ENCRYPTION = (
    "EnableKeyRotation GetKeyRotationStatus ListKeyRotations RotateKeyOnDemand ListGrants RevokeGrant".split()
)
# For those whom IAM policies let read or import evidence.
USE_ENCRYPTION = ("Encrypt", "Decrypt", "GenerateDataKey")
# For those who verify a signature with KMS or fetch the public key.
USE_SIGNATURES = ("GetPublicKey", "Verify")
DESTROY_KEY = ("ScheduleKeyDeletion", "DisableKey")

SAFEGUARDS = (
    "PutLifecycleConfiguration PutBucketObjectLockConfiguration PutEncryptionConfiguration PutBucketOwnershipControls "
    "PutBucketPublicAccessBlock PutBucketNotification PutBucketPolicy DeleteBucketPolicy"
).split()
DESTROY_EVIDENCE = (
    "DeleteObject DeleteObjectVersion BypassGovernanceRetention PutObjectRetention PutObjectLegalHold ReplicateObject "
    "ReplicateDelete UpdateObjectEncryption"
).split()


def of_governors(deployment: Deployment) -> Iterator[Call]:
    """The calls of the deployment role and the break-glass role on bucket and keys. Their own policies allow them everything."""
    places = Places(deployment)
    for who in (DEPLOYMENT_ROLE, BREAK_GLASS_ROLE):
        for action in SAFEGUARDS:
            yield Call(who, f"s3:{action}", places.evidence)
    yield Call(BREAK_GLASS_ROLE, "s3:PutBucketVersioning", places.evidence)
    for key in own_keys():
        for action in DESTROY_EVIDENCE:
            yield Call(BREAK_GLASS_ROLE, f"s3:{action}", f"{places.evidence}/{key}")
    keys = {
        "EvidenceKey": (*GOVERN, *GOVERN_ENCRYPTION, *USE_ENCRYPTION),
        "SigningKey": (*GOVERN, *USE_SIGNATURES),
    }
    for key, actions in keys.items():
        if key not in deployment:
            continue
        for action in actions:
            yield Call(DEPLOYMENT_ROLE, f"kms:{action}", deployment.arn(key))
        for action in (*DESTROY_KEY, "PutKeyPolicy"):
            yield Call(BREAK_GLASS_ROLE, f"kms:{action}", deployment.arn(key))


def own_keys() -> dict[str, set[str]]:
    """A sample of each kind of P1's own keys, with the roles that create it."""
    found: dict[str, set[str]] = {}
    for row in rows():
        if row["operation"] == "PutObject":
            found.setdefault(sample(row["key"]), set()).add(role_of(row["owner"]))
    return found | {RECEIPT: {UPSTREAM_ROLE}}


RECEIPT = f"evidence/{ENVIRONMENT}/run_control/m2j_{STAMP}/m2j_m3_entry_readiness_receipt.json"


def all_calls(deployment: Deployment) -> list[Call]:
    """Every call, once. The deployment must have every optional part."""
    parts = (of_functions, of_services, of_operators, of_other_phases, of_governors)
    return unique(call for part in parts for call in part(deployment))


def unique(calls) -> list[Call]:
    """Each call once: several rows may give the same call."""
    return list({str(call): call for call in calls}.values())
