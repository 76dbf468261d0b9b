"""Who may do what in a deployment, answered as IAM answers it.

The evaluation is the engine's, the same that the local platform applies when it is asked to. It knows condition operators,
denials before allowances, and keys that a request lacks; what it does not know (organisations, sessions) no policy here uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ministack.core import iam_evaluator as iam

from deployment import Deployment
from identifiers import ACCOUNT
from source import REGION

ALLOWED, DENIED, NOT_ALLOWED = "Allow", "Deny", "ImplicitDeny"

# The best that a policy outside the stack can grant: what is denied to it is denied to everybody.
EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Policy:
    """A policy document of a deployment, and where it stands."""

    # `identity`, `trust` or `resource`.
    kind: str
    # The logical name of the resource that has it, and its own name there.
    place: str
    # The type of the resource that has it.
    of: str
    document: dict

    @property
    def statements(self) -> list[dict]:
        """Its statements, one or more."""
        return listed(self.document["Statement"])


def listed(value) -> list:
    """One or more, as policies allow it, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def policies(deployment: Deployment) -> Iterator[Policy]:
    """Every policy document in the deployment."""
    for name, resource in deployment.resources.items():
        kind, properties = resource["Type"], resource["Properties"]
        match kind:
            case "AWS::IAM::Role":
                yield Policy("trust", name, kind, properties["AssumeRolePolicyDocument"])
                for inline in properties.get("Policies", []):
                    yield Policy("identity", f"{name}/{inline['PolicyName']}", kind, inline["PolicyDocument"])
            case "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy":
                yield Policy("identity", name, kind, properties["PolicyDocument"])
            case "AWS::KMS::Key":
                yield Policy("resource", name, kind, properties["KeyPolicy"])
            case "AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy":
                yield Policy("resource", name, kind, properties["PolicyDocument"])


def of_role(deployment: Deployment, role: str) -> list[Policy]:
    """The identity policies of a role: those that stand in it, and those of this stack that are attached to it."""
    attached = listed(deployment[role].get("ManagedPolicyArns"))
    own = {deployment.ref(name): name for name in deployment.of_type("AWS::IAM::ManagedPolicy")}
    foreign = sorted(set(attached) - set(own))
    assert not foreign, f"{role} has managed policies that the template does not spell out: {foreign}"
    places = {own[arn] for arn in attached}
    beside = deployment.of_type("AWS::IAM::Policy").items()
    places |= {name for name, policy in beside if deployment.ref(role) in policy["Roles"]}
    return [
        policy
        for policy in policies(deployment)
        if policy.kind == "identity" and (policy.place in places or policy.place.startswith(f"{role}/"))
    ]


def decide(deployment: Deployment, principal: str, action: str, resource: str, **keys: str | bool) -> str:
    """Whether `principal` may do `action` to `resource`: `ALLOWED`, `DENIED` (a statement says so) or `NOT_ALLOWED`.

    `principal` is the logical name of a role of the deployment, or the ARN of a role outside, which is then taken for one
    that its own policies allow everything. `keys` are the request's further condition keys, `s3__if_none_match` for
    `s3:if-none-match`.
    """
    if principal in deployment:
        arn, documents = deployment.arn(principal), [p.document for p in of_role(deployment, principal)]
    else:
        arn, documents = principal, [EVERYTHING]
    request = _request(arn, action, resource, keys)
    identity = iam.evaluate(request, [iam.parse_policy_document(document) for document in documents])
    policy, required = _resource_policy(deployment, resource)
    return iam.combine_resource_policy(identity, request, policy, ACCOUNT, required=required).decision


def decide_service(deployment: Deployment, service: str, action: str, resource: str, **keys: str | bool) -> str:
    """Whether an AWS service may do `action` to `resource`, which the resource's own policy alone says."""
    request = _request(service, action, resource, keys)
    policy, _ = _resource_policy(deployment, resource)
    return iam.evaluate_resource_policy(policy, request, service=service).decision


def _request(principal: str, action: str, resource: str, keys: dict[str, str | bool]) -> iam.EvalContext:
    context = {key.replace("__", ":", 1).replace("_", "-").lower(): _text(value) for key, value in keys.items()}
    tls = context.pop("aws:securetransport", "true") == "true"
    return iam.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=resource,
        region=REGION,
        secure_transport=tls,
        service_context=context,
    )


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _resource_policy(deployment: Deployment, resource: str) -> tuple[dict | None, bool]:
    """The policy of the resource itself, and whether nobody may do anything there that it does not allow."""
    for properties in deployment.of_type("AWS::S3::BucketPolicy").values():
        bucket = f"arn:aws:s3:::{properties['Bucket']}"
        if resource == bucket or resource.startswith(f"{bucket}/"):
            return properties["PolicyDocument"], False
    for name, properties in deployment.of_type("AWS::KMS::Key").items():
        if resource == deployment.arn(name):
            # `*` in a key's policy is the key.
            return properties["KeyPolicy"], True
    for properties in deployment.of_type("AWS::SQS::QueuePolicy").values():
        queues = [
            name for name in deployment.of_type("AWS::SQS::Queue") if deployment.ref(name) in properties["Queues"]
        ]
        if resource in [deployment.arn(name) for name in queues]:
            return properties["PolicyDocument"], False
    return None, False
