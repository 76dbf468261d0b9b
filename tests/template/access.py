"""Who may do what in a deployment: its policies, and the requests that the oracle decides by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from deployment import Deployment
from identifiers import ACCOUNT
from oracle import ALLOWED, DENIED, NOT_ALLOWED, ORACLE, Document, Request

__all__ = ["ALLOWED", "DENIED", "NOT_ALLOWED", "Policy", "decide", "listed", "of_role", "policies", "request"]

# The most that a policy outside the stack can grant: what a principal with it is denied, everybody is denied.
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

# Where the policies of principals from outside stand.
OUTSIDE = "outside"
# The policy of a given key, as docs/deploy.md asks for it.
GIVEN_KEY_POLICY = Document.of(
    "resource",
    OUTSIDE,
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    },
)


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
    """`value` as a list: policies have one value or a list of them."""
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
            case "AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy":
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


def decide(deployment: Deployment, principal: str, action: str, resource: str, keys: dict | None = None) -> str:
    """Whether `principal` may do `action` to `resource`: `ALLOWED`, `DENIED` (a statement denies it) or `NOT_ALLOWED`.

    `principal` is the logical name of a role of the deployment, the name of a service, or the ARN of a principal outside, whose own
    policies are taken to allow everything. `keys` are the condition keys that the request has besides those of every request.
    """
    return ORACLE.decide([request(deployment, principal, action, resource, keys or {})])[0]


def request(
    deployment: Deployment, principal: str, action: str, resource: str, keys: dict, outside: dict = EVERYTHING
) -> Request:
    """The request as AWS receives it: with the condition keys of every request, and the policies that decide it.

    `outside` is the policy of a principal that is not of the deployment.
    """
    documents = _documents(deployment)
    if principal in deployment:
        arn, identity = deployment.arn(principal), documents.of_role(principal)
    elif principal.startswith("arn:"):
        arn, identity = principal, (Document.of("identity", OUTSIDE, outside),)
    else:
        arn, identity = None, ()
    # A service's own calls carry no principal's ARN.
    common = {"aws:SecureTransport": "true"} | ({} if arn is None else {"aws:PrincipalArn": arn})
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in (common | keys).items()}
    return Request(
        principal=principal if arn is None else _caller(arn),
        action=action,
        resource=resource,
        keys=tuple(sorted(given.items())),
        identity=identity,
        guard=documents.of_resource(resource, action),
    )


def _caller(arn: str) -> str:
    """The principal of a request as `arn`. For a role that is a session, whose ARN has the role's name without its path."""
    if ":role/" not in arn:
        return arn
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rpartition('/')[2]}/session"


class _Documents:
    """The policy documents of a deployment, by where they decide."""

    def __init__(self, deployment: Deployment):
        self._deployment = deployment
        self._of_roles: dict[str, tuple[Document, ...]] = {}
        # The policy of a resource, by its ARN; that of a bucket, by the bucket's.
        self._guards: dict[str, Document] = {}
        for policy in policies(deployment):
            if policy.kind != "identity":
                document = Document.of(policy.kind, policy.place, policy.document)
                self._guards |= {arn: document for arn in self._guarded(policy)}

    def _guarded(self, policy: Policy) -> list[str]:
        deployment = self._deployment
        match policy.of:
            case "AWS::S3::BucketPolicy":
                return [f"arn:aws:s3:::{deployment[policy.place]['Bucket']}"]
            case "AWS::SQS::QueuePolicy":
                queues = deployment[policy.place]["Queues"]
                return [deployment.arn(q) for q in deployment.of_type("AWS::SQS::Queue") if deployment.ref(q) in queues]
        return [deployment.arn(policy.place)]

    def of_role(self, role: str) -> tuple[Document, ...]:
        """The identity policies of a role."""
        if role not in self._of_roles:
            found = of_role(self._deployment, role)
            self._of_roles[role] = tuple(Document.of("identity", policy.place, policy.document) for policy in found)
        return self._of_roles[role]

    def of_resource(self, resource: str, action: str) -> Document | None:
        """The policy of the resource itself. A role's trust policy decides about sts:AssumeRole only."""
        guard = self._guards.get(resource)
        if guard is None and resource.startswith("arn:aws:s3:::"):
            guard = self._guards.get(resource.partition("/")[0])
        if guard is None and action.startswith("kms:"):
            # The key is a given one, whose policy leaves the decision to this account's policies.
            guard = GIVEN_KEY_POLICY
        return None if guard and guard.kind == "trust" and action != "sts:AssumeRole" else guard


@cache
def _documents(deployment: Deployment) -> _Documents:
    return _Documents(deployment)
