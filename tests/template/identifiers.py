"""What `Ref` and `Fn::GetAtt` give for the resource types that the template uses.

A type or an attribute that is missing here fails the checks, so that nothing resolves to a value that AWS would not give.
"""

import uuid

from source import REGION

ACCOUNT = "111122223333"
STACK_NAME = "p1"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK_NAME}/00000000-0000-0000-0000-000000000000"


class Unknown(Exception):
    """The value of a reference is not known here: the checks are incomplete, and no check of the template has failed."""


def regional(service: str, resource: str) -> str:
    """The ARN of a resource in the deployment's account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def identify(name: str, kind: str, properties: dict) -> dict:
    """The identifiers of the resource `name` of type `kind`, in the engine's form."""
    generated = f"{STACK_NAME}-{name}"

    def named(key: str) -> str:
        return properties.get(key) or generated

    match kind:
        case "AWS::S3::Bucket":
            bucket = named("BucketName")
            return found(bucket, Arn=f"arn:aws:s3:::{bucket}")
        case "AWS::IAM::Role":
            role = named("RoleName")
            return found(role, Arn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleId=f"AROA{name.upper()}")
        case "AWS::IAM::ManagedPolicy":
            arn = f"arn:aws:iam::{ACCOUNT}:policy/{named('ManagedPolicyName')}"
            return found(arn, Arn=arn, PolicyArn=arn)
        case "AWS::KMS::Key":
            key = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            return found(key, Arn=regional("kms", f"key/{key}"), KeyId=key)
        case "AWS::Lambda::Function":
            function = named("FunctionName")
            return found(function, Arn=regional("lambda", f"function:{function}"))
        case "AWS::Lambda::Version":
            arn = regional("lambda", f"function:{properties['FunctionName']}:1")
            return found(arn, Arn=arn, FunctionArn=arn, Version="1")
        case "AWS::Lambda::Alias":
            arn = regional("lambda", f"function:{properties['FunctionName']}:{properties['Name']}")
            return found(arn, Arn=arn)
        case "AWS::Logs::LogGroup":
            group = named("LogGroupName")
            return found(group, Arn=regional("logs", f"log-group:{group}:*"))
        case "AWS::StepFunctions::StateMachine":
            machine = named("StateMachineName")
            arn = regional("states", f"stateMachine:{machine}")
            return found(arn, Arn=arn, Name=machine, StateMachineRevisionId="revision-1")
        case "AWS::StepFunctions::StateMachineVersion":
            arn = f"{properties['StateMachineArn']}:1"
            return found(arn, Arn=arn)
        case "AWS::StepFunctions::StateMachineAlias":
            machine, _, _version = properties["DeploymentPreference"]["StateMachineVersionArn"].rpartition(":")
            arn = f"{machine}:{properties['Name']}"
            return found(arn, Arn=arn)
        case "AWS::Events::Rule":
            rule = named("Name")
            return found(rule, Arn=regional("events", f"rule/{rule}"))
        case "AWS::SQS::Queue":
            queue = named("QueueName")
            url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{queue}"
            return found(url, Arn=regional("sqs", queue), QueueName=queue, QueueUrl=url)
        case "AWS::CloudWatch::Alarm":
            alarm = named("AlarmName")
            return found(alarm, Arn=regional("cloudwatch", f"alarm:{alarm}"))
        case "AWS::SSM::Parameter":
            return found(named("Name"), Arn=regional("ssm", f"parameter{named('Name')}"))
        case (
            "AWS::S3::BucketPolicy"
            | "AWS::IAM::Policy"
            | "AWS::SQS::QueuePolicy"
            | "AWS::KMS::Alias"
            | "AWS::CloudWatch::Dashboard"
            | "AWS::Logs::QueryDefinition"
        ):
            return found(generated)
    raise Unknown(f"{name}: tests/template/identifiers.py does not know what a reference to an {kind} gives")


def found(reference: str, **attributes: str) -> dict:
    """Identifiers in the engine's form."""
    return {"PhysicalResourceId": reference, "Attributes": attributes}
