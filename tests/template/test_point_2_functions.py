"""Point 2: the ten functions."""

import copy

from deployment import BOUNDARY, Deployment, Platform, at
from source import expand

STEPS = "abcdefghij"
FUNCTIONS = [f"M3{step}Function" for step in STEPS]


def _functions(deployment: Deployment) -> dict[str, dict]:
    found = deployment.of_type("AWS::Lambda::Function")
    assert sorted(found) == FUNCTIONS
    return found


def test_there_are_ten_functions(platform: Platform):
    """Functions: ten, one a step, of no runtime but the one for binaries."""
    for name, function in _functions(platform.deploy()).items():
        assert function["Runtime"] == "provided.al2023", name


def test_arm64_is_the_default(platform: Platform):
    """arm64 by default,"""
    for name, function in _functions(platform.deploy()).items():
        assert function.get("Architectures") == ["arm64"], name


def test_x86_64_is_taken_by_parameter(platform: Platform):
    """… x86_64 by parameter;"""
    for name, function in _functions(platform.deploy(Architecture="x86_64")).items():
        assert function.get("Architectures") == ["x86_64"], name


def test_memory_is_512_mb(platform: Platform):
    """memory 512 MB unless measurement says other;"""
    for name, function in _functions(platform.deploy()).items():
        assert function.get("MemorySize") == 512, name


def test_each_function_has_a_log_group_with_retention(platform: Platform):
    """log groups with retention: each function logs to one of its own, for the days of the parameter,"""
    for days in ("90", "365"):
        deployment = platform.deploy(LogRetentionDays=days)
        groups = {p["LogGroupName"]: p for p in deployment.of_type("AWS::Logs::LogGroup").values()}
        used = [at(function, "LoggingConfig/LogGroup") for function in _functions(deployment).values()]
        assert len(set(used)) == 10
        for group in used:
            assert group in groups, (
                f"{group} is no log group of the deployment: Lambda would make it, and keep it for ever"
            )
            assert groups[group].get("RetentionInDays") == days, group


def test_logs_are_json(platform: Platform):
    """… JSON logs, of which Lambda drops none: it takes metrics and failures without a level for INFO;"""
    for name, function in _functions(platform.deploy()).items():
        logging = function.get("LoggingConfig", {})
        assert logging.get("LogFormat") == "JSON", name
        assert logging.get("ApplicationLogLevel", "INFO") in ("INFO", "DEBUG", "TRACE"), name
        assert logging.get("SystemLogLevel", "INFO") in ("INFO", "DEBUG"), name


def test_functions_are_traced(platform: Platform):
    """X-Ray;"""
    for name, function in _functions(platform.deploy()).items():
        assert at(function, "TracingConfig/Mode") == "Active", name


def test_each_deployment_publishes_a_version(platform: Platform):
    """a published version per deployment: each function has one, which outlives the next deployment, …"""
    deployment = platform.deploy()
    versions = deployment.of_type("AWS::Lambda::Version")
    assert sorted(v["FunctionName"] for v in versions.values()) == sorted(deployment.ref(name) for name in FUNCTIONS)
    for name in versions:
        assert deployment.resources[name].get("DeletionPolicy") == "Retain", name


def test_a_changed_function_gets_a_new_version(platform: Platform):
    """… and is a new one when anything of the function changes, its settings too."""
    before = platform.deploy().of_type("AWS::Lambda::Version")
    changed = copy.deepcopy(platform.source)
    changed.template["Globals"]["Function"]["Timeout"] = 59
    after = expand(changed, platform.defaults)["Resources"]
    kept = [name for name in before if name in after]
    assert not kept, f"{kept} would be published once, and never again"


def test_each_function_has_a_role_of_its_own(platform: Platform):
    """one role each, which nothing but Lambda may take on;"""
    deployment = platform.deploy()
    roles = {deployment.arn(name): name for name in deployment.of_type("AWS::IAM::Role")}
    used = [function["Role"] for function in _functions(deployment).values()]
    assert len(set(used)) == 10
    for arn in used:
        assert arn in roles, f"{arn} is no role of the deployment"
        assert deployment[roles[arn]]["AssumeRolePolicyDocument"] == {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }, arn


def test_every_role_has_the_permissions_boundary(platform: Platform):
    """Permissions boundary parameter: when it is given, every role has it; when not, none."""
    roles = platform.deploy(PermissionsBoundaryArn=BOUNDARY).of_type("AWS::IAM::Role")
    assert {name: role.get("PermissionsBoundary") for name, role in roles.items()} == dict.fromkeys(roles, BOUNDARY)
    for name, role in platform.deploy().of_type("AWS::IAM::Role").items():
        assert "PermissionsBoundary" not in role, name
