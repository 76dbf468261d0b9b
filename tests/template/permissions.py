"""Everything that each role may do, written from what the steps' code needs (contract, section 7) and not from the template.

A row is `Allow ACTION RESOURCE` or `Deny ACTION RESOURCE`, with ` if CONDITION` where there is one. A row too many is a
permission too many, a row too few a step that fails.
"""

from __future__ import annotations

import json

from access import listed, of_role
from deployment import STEPS, Deployment

# What a step reads in the run-control folder, besides what it writes itself, and below the runs.
READS = {
    "a": ["control/m2j_*"],
    "b": ["control/m3a_*"],
    "c": ["control/m3a_*", "control/m3b_*", "control/m3g_*"],
    "d": ["control/m3a_*", "control/m3c_*", "control/m3g_*", "ledger"],
    "e": ["control/m3a_*", "control/m3b_*", "control/m3c_*", "control/m3d_*", "control/m3g_*", "runs"],
    "f": [*(f"control/m3{step}_*" for step in "abcde"), "control/m3g_*", "runs"],
    # The admission of a rerun reads everything that the held run left.
    "g": ["control/m3*", "control/_events/*", "control/_cost/*", "runs"],
    # M3.H and M3.I read every artifact of every step before.
    "h": ["control/m3*", "control/_events/*", "runs"],
    "i": ["control/m3*", "control/_events/*", "control/_cost/*", "runs"],
    # The entry of a later phase reads what M3.E published.
    "j": ["control/m3*", "ledger", "run_json", "run_header"],
}

# What a step writes besides its own folder. It reads that back, by version.
WRITES = {
    "a": ["control/_events/*"],
    "b": ["ledger"],
    "e": ["run_json", "run_header"],
    "g": ["ledger"],
    "h": ["control/_cost/*"],
    "j": ["ledger", "index"],
}

READS_REGISTRY = "abcdefgh"
# A step that relies on a ledger, or on what an earlier step wrote, checks whether a key was overwritten or deleted.
LISTS_VERSIONS = "bdefgj"
OBJECTS = ("s3:GetObject", "s3:GetObjectVersion")
TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")


class Places:
    """The resources of a deployment that rows name."""

    def __init__(self, deployment: Deployment):
        parameters = deployment.parameters
        self.evidence = f"arn:aws:s3:::{parameters['EvidenceBucketName']}"
        self.run_control = f"{self.evidence}/evidence/{parameters['Environment']}/run_control"
        self.index = f"{self.evidence}/evidence/{parameters['Environment']}/index/scenario/*"
        self.object_store = f"arn:aws:s3:::{parameters['ObjectStoreBucketName']}"
        self.artifacts = f"arn:aws:s3:::{parameters['ArtifactsBucketName']}"
        self.run_json = parameters["RunJsonKeyPattern"].replace("{platform_run_id}", "*")
        self.run_header = parameters["RunHeaderFolderPattern"].replace("{platform_run_id}", "*")
        self.machine = deployment.arn("StateMachine")
        self.executions = self.machine.replace(":stateMachine:", ":execution:") + ":*"

    def of(self, place: str) -> str:
        """The resource of a place in the tables above."""
        match place.split("/", 1):
            case ["control", key]:
                return f"{self.run_control}/{key}"
            case ["runs"]:
                return f"{self.evidence}/evidence/runs/*"
            case ["ledger"]:
                return f"{self.evidence}/evidence/runs/*/ledger/*"
            case ["index"]:
                return self.index
            case ["run_json"]:
                return f"{self.evidence}/{self.run_json}"
            case ["run_header"]:
                return f"{self.evidence}/{self.run_header}*"
        raise AssertionError(place)


def of_step(deployment: Deployment, step: str) -> set[str]:
    """Every row of the role of a step."""
    places, parameters = Places(deployment), deployment.parameters
    rows = set()

    def allow(actions, *resources: str, only_if: dict | None = None):
        rows.update(row("Allow", action, resource, only_if) for action in listed(actions) for resource in resources)

    written = [f"control/m3{step}_*", *WRITES.get(step, [])]
    # `m3*` holds the folder of the step too, and `runs` all that P1 writes there.
    allow([*OBJECTS], *(places.of(place) for place in covering({*READS[step], *written})))
    allow("s3:PutObject", *(places.of(place) for place in written))
    # To be told that an object is missing, rather than that it is forbidden, and to list a ledger.
    allow("s3:ListBucket", places.evidence)
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], deployment.arn(f"M3{step}LogGroup"))
    allow([*TRACES], "*")
    key = parameters["EvidenceKeyArn"] or ("EvidenceKey" in deployment and deployment.arn("EvidenceKey"))
    if key:
        through_s3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-2.amazonaws.com"}}
        allow(["kms:GenerateDataKey", "kms:Decrypt"], key, only_if=through_s3)
    if step in LISTS_VERSIONS:
        allow("s3:ListBucketVersions", places.evidence)
    if step in READS_REGISTRY:
        # M3.A pins the newest; later steps read what was pinned, or what is there in a bucket without versions.
        reads = OBJECTS[:1] if step == "a" else OBJECTS
        allow([*reads], f"arn:aws:s3:::{parameters['RegistryUri'].removeprefix('s3://')}")
        allow("s3:ListBucket", places.artifacts)
    if step in "ad":
        allow("states:DescribeStateMachine", places.machine)
    if step in "ag":
        # The partition cannot be named where the list is taken apart; a role knows its own partition's buckets alone.
        uris = filter(None, parameters["StackOutputsUris"].split(","))
        allow("s3:GetObject", *(f"arn:*:s3:::{uri.removeprefix('s3://')}" for uri in uris))
    match step:
        case "a":
            allow("s3:GetBucketVersioning", places.evidence)
        case "b":
            allow("s3:GetObject", f"{places.object_store}/*")
            allow("s3:ListBucket", places.object_store)
        case "g":
            allow("states:DescribeExecution", places.executions)
        case "h":
            # The registry names the Databricks bill.
            allow("s3:GetObject", f"{places.artifacts}/{parameters['DatabricksBillFolder']}*")
            if parameters["CostSource"] == "cost_explorer":
                allow("ce:GetCostAndUsage", "*")
            if parameters["BillingArtifactUri"]:
                allow("s3:GetObject", f"arn:aws:s3:::{parameters['BillingArtifactUri'].removeprefix('s3://')}")
        case "j":
            # With a key that is created its policy alone says who signs.
            if parameters["Signing"] == "kms" and parameters["SigningKeyArn"]:
                allow(["kms:Sign", "kms:GetPublicKey"], parameters["SigningKeyArn"])
    return rows


def covering(places: set[str]) -> set[str]:
    """`places` without those that another place contains."""
    if "control/m3*" in places:
        places = {place for place in places if not place.startswith("control/m3") or place == "control/m3*"}
    return places - {"ledger", "run_json", "run_header"} if "runs" in places else places


def of_state_machine(deployment: Deployment) -> set[str]:
    """Every row of the state machine's role."""
    rows = {row("Allow", "lambda:InvokeFunction", deployment.arn(f"M3{step}Function") + ":*") for step in STEPS}
    # Step Functions logs through deliveries to CloudWatch Logs.
    deliveries = ["CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"]
    deliveries += ["PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"]
    rows |= {row("Allow", f"logs:{action}", "*") for action in deliveries}
    traces = [*TRACES, "xray:GetSamplingRules", "xray:GetSamplingTargets"]
    return rows | {row("Allow", action, "*") for action in traces}


def granted(deployment: Deployment, role: str) -> set[str]:
    """Every row of a role in the deployment."""
    return {
        row(statement["Effect"], action, resource, statement.get("Condition"))
        for policy in of_role(deployment, role)
        for statement in policy.statements
        for action in listed(statement.get("Action")) or [f"all but {statement.get('NotAction')}"]
        for resource in listed(statement.get("Resource")) or [f"all but {statement.get('NotResource')}"]
    }


def row(effect: str, action: str, resource: str, condition: dict | None = None) -> str:
    """A permission in one line."""
    return f"{effect} {action} {resource}" + (f" if {json.dumps(condition, sort_keys=True)}" if condition else "")


def difference(found: set[str], wanted: set[str]) -> str:
    """The rows that are too many and those that are missing, for a person to read."""
    return "\n".join(
        [*(f"too much: {r}" for r in sorted(found - wanted)), *(f"missing: {r}" for r in sorted(wanted - found))]
    )
