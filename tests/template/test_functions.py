"""The ten functions."""

import copy

from deployment import BOUNDARY, STEPS, Deployment, Platform, at
from source import expand

FUNCTIONS = [f"M3{step}Function" for step in STEPS]


def _functions(deployment: Deployment) -> dict[str, dict]:
    found = deployment.of_type("AWS::Lambda::Function")
    assert sorted(found) == FUNCTIONS
    return found


def test_there_are_ten_functions(platform: Platform):
    """There are ten functions, one a step, on the runtime for binaries."""
    for name, function in _functions(platform.deploy()).items():
        assert function["Runtime"] == "provided.al2023", name


def test_arm64_is_the_default(platform: Platform):
    """The functions are built for arm64 by default."""
    for name, function in _functions(platform.deploy()).items():
        assert function.get("Architectures") == ["arm64"], name


def test_x86_64_is_taken_by_parameter(platform: Platform):
    """The functions are built for x86_64 by parameter."""
    for name, function in _functions(platform.deploy(Architecture="x86_64")).items():
        assert function.get("Architectures") == ["x86_64"], name


def test_memory_is_512_mb(platform: Platform):
    """Each function has 512 MB of memory."""
    for name, function in _functions(platform.deploy()).items():
        assert function.get("MemorySize") == 512, name


def test_each_function_has_a_log_group_with_retention(platform: Platform):
    """Each function logs to a log group of its own, which keeps the lines for the days of the parameter."""
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
    """Logs are JSON, and Lambda drops none: it takes metrics and failures, which have no level, for INFO."""
    for name, function in _functions(platform.deploy()).items():
        logging = function.get("LoggingConfig", {})
        assert logging.get("LogFormat") == "JSON", name
        assert logging.get("ApplicationLogLevel", "INFO") in ("INFO", "DEBUG", "TRACE"), name
        assert logging.get("SystemLogLevel", "INFO") in ("INFO", "DEBUG"), name


def test_functions_are_traced(platform: Platform):
    """X-Ray traces each function."""
    for name, function in _functions(platform.deploy()).items():
        assert at(function, "TracingConfig/Mode") == "Active", name


def test_each_deployment_publishes_a_version(platform: Platform):
    """Each deployment publishes a version of each function, which the next deployment keeps."""
    deployment = platform.deploy()
    versions = deployment.of_type("AWS::Lambda::Version")
    assert sorted(v["FunctionName"] for v in versions.values()) == sorted(deployment.ref(name) for name in FUNCTIONS)
    for name in versions:
        assert deployment.resources[name].get("DeletionPolicy") == "Retain", name


def test_a_changed_function_gets_a_new_version(platform: Platform):
    """A function gets a new version when anything of it changes, its settings included."""
    before = platform.deploy().of_type("AWS::Lambda::Version")
    changed = copy.deepcopy(platform.source)
    changed.template["Globals"]["Function"]["Timeout"] = 59
    after = expand(changed, platform.defaults)["Resources"]
    kept = [name for name in before if name in after]
    assert not kept, f"{kept} would be published once, and never again"


def test_each_function_has_a_role_of_its_own(platform: Platform):
    """Each function has a role of its own, which only Lambda may assume."""
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
    """Every role has the permissions boundary that is given, and none where none is given."""
    roles = platform.deploy(PermissionsBoundaryArn=BOUNDARY).of_type("AWS::IAM::Role")
    assert {name: role.get("PermissionsBoundary") for name, role in roles.items()} == dict.fromkeys(roles, BOUNDARY)
    for name, role in platform.deploy().of_type("AWS::IAM::Role").items():
        assert "PermissionsBoundary" not in role, name
