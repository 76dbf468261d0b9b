//! The roles of the template, with the engine holding the functions to their policies: they suffice for every path, and
//! they are held to indeed.

use p1_contract::step::Step;
use p1_tests::stage::{Stage, on_guarded_stage};
use serde_json::{Value, json};

/// Replaces the policy of the role whose name begins so by one without the statement; gives the role and the policy that
/// it had.
const WITHOUT: &str = "import boto3,json,sys\n\
    iam=boto3.client('iam')\n\
    start,sid=sys.argv[1:]\n\
    roles=[r['RoleName'] for p in iam.get_paginator('list_roles').paginate() for r in p['Roles']]\n\
    [role]=[r for r in roles if r.startswith(start)]\n\
    old=iam.get_role_policy(RoleName=role,PolicyName='step')['PolicyDocument']\n\
    kept=[s for s in old['Statement'] if s.get('Sid')!=sid]\n\
    assert len(kept)==len(old['Statement'])-1, old\n\
    iam.put_role_policy(RoleName=role,PolicyName='step',PolicyDocument=json.dumps({**old,'Statement':kept}))\n\
    print(json.dumps([role,json.dumps(old)]))\n";

const RESTORE: &str = "import boto3,sys\n\
    boto3.client('iam').put_role_policy(RoleName=sys.argv[1],PolicyName='step',PolicyDocument=sys.argv[2])\n";

/// As somebody who may assume the operator's role: starts an execution, follows it, reads its evidence, and is refused all
/// that an operator may not do. Prints what was refused.
const OPERATE: &str = "import boto3,json,sys,time\n\
    from botocore.exceptions import ClientError\n\
    role,stack,machine,bucket,start=sys.argv[1:]\n\
    account=role.split(':')[4]\n\
    iam=boto3.client('iam')\n\
    def statement(**s): return json.dumps({'Version':'2012-10-17','Statement':[{'Effect':'Allow',**s}]})\n\
    root='arn:aws:iam::%s:root'%account\n\
    trust=statement(Principal={'AWS':root},Action='sts:AssumeRole')\n\
    iam.create_role(RoleName='operators',AssumeRolePolicyDocument=trust)\n\
    policy=statement(Action='sts:AssumeRole',Resource=role)\n\
    iam.put_role_policy(RoleName='operators',PolicyName='assume',PolicyDocument=policy)\n\
    def session(credentials=None):\n\
    \x20   c=credentials or {}\n\
    \x20   return boto3.Session(c.get('AccessKeyId'),c.get('SecretAccessKey'),c.get('SessionToken'))\n\
    def assumed(session,role):\n\
    \x20   answer=session.client('sts').assume_role(RoleArn=role,RoleSessionName='operator')\n\
    \x20   return answer['Credentials']\n\
    person=session(assumed(session(),'arn:aws:iam::%s:role/operators'%account))\n\
    operator=session(assumed(person,role))\n\
    sfn,s3,cfn=(operator.client(name) for name in ('stepfunctions','s3','cloudformation'))\n\
    cfn.describe_stacks(StackName=stack)\n\
    arn=sfn.start_execution(stateMachineArn=machine,input=start)['executionArn']\n\
    while sfn.describe_execution(executionArn=arn)['status']=='RUNNING': time.sleep(0.1)\n\
    assert sfn.get_execution_history(executionArn=arn)['events']\n\
    assert sfn.list_executions(stateMachineArn=machine)['executions']\n\
    prefix='evidence/dev_full/run_control/m3j_'\n\
    key=s3.list_objects_v2(Bucket=bucket,Prefix=prefix)['Contents'][0]['Key']\n\
    s3.get_object(Bucket=bucket,Key=key)\n\
    def refused(call):\n\
    \x20   try: call()\n\
    \x20   except ClientError as e: return e.response['Error']['Code']\n\
    print(json.dumps([\n\
    \x20   refused(lambda: s3.put_object(Bucket=bucket,Key=key+'.x',Body=b'x',IfNoneMatch='*')),\n\
    \x20   refused(lambda: s3.delete_object(Bucket=bucket,Key=key)),\n\
    \x20   refused(lambda: sfn.update_state_machine(stateMachineArn=machine,definition='{}')),\n\
    \x20   refused(lambda: person.client('stepfunctions').start_execution(stateMachineArn=machine,input=start)),\n\
    ]))\n";

fn python(stage: &Stage, script: &str, arguments: &[&str]) -> String {
    let output = stage.python().args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_roles_suffice_for_an_advance_a_duplicate_a_hold_and_a_rerun() {
    on_guarded_stage(async |stage| {
        let first = stage.run().await.expect_advance();
        let event: Value = serde_json::from_str(&stage.input(&first.arn).await).unwrap();
        let second = stage.start(&event).await;
        assert_eq!(second.outcome()["outcome"], "DUPLICATE_DELIVERY", "{second:?}");

        let held = stage.held_run().await;
        let resumed = stage.start(&stage.rerun_input(&held).await).await.expect_advance();
        assert_eq!(resumed.outcome()["platform_run_id"], held.outcome()["platform_run_id"]);
    });
}

/// A role that may not even ask for an object does not hide that it is not there: a missing receipt, registry, manifest and stack output
/// are verdicts, as they are without roles.
#[test]
fn with_roles_a_missing_receipt_is_still_a_hold() {
    on_guarded_stage(async |stage| {
        let missing = "evidence/dev_full/run_control/m2j_20200101T000000Z/m2j_m3_entry_readiness_receipt.json";
        let ended = stage.start(&json!({"m2_handoff": {"key": missing}})).await;
        let ended = ended.expect_hold(&["M3A-B3"]);
        let summary = stage.phase_summary(&ended).await;
        let detail = summary["unresolved_blockers"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("not there") || detail.contains("missing"), "{detail}");
    });
}

#[test]
fn a_step_whose_role_may_not_publish_cannot() {
    on_guarded_stage(async |stage| {
        let deployment = stage.platform.deployment().outputs["Deployment"].clone();
        for step in Step::ALL {
            let start = format!("{deployment}-{}-", step.prefix());
            let changed = python(stage, WITHOUT, &[&start, "Publish"]);
            let ended = stage.run().await;
            let [role, policy]: [String; 2] = serde_json::from_str(&changed).unwrap();
            python(stage, RESTORE, &[&role, &policy]);
            assert_eq!(ended.error, "Transient", "{step}: {ended:?}");
            let place = format!("/{}_", step.prefix());
            assert!(
                ended.cause.contains(&place) && ended.cause.contains("403"),
                "{step}: {}",
                ended.cause
            );
        }
        stage.run().await.expect_advance();
    });
}

#[test]
fn an_operator_starts_follows_and_reads_and_does_nothing_else() {
    on_guarded_stage(async |stage| {
        let role = stage.platform.deployment().outputs["OperatorRoleArn"].clone();
        let start = stage.operator_start().await.to_string();
        let arguments = [
            role.as_str(),
            stage.platform.stack(),
            stage.platform.state_machine_arn(),
            stage.platform.evidence_bucket(),
            &start,
        ];
        let refused: Value = serde_json::from_str(&python(stage, OPERATE, &arguments)).unwrap();
        let denied = "AccessDenied";
        let refusals: Vec<&str> = refused.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(refusals.len(), 4, "{refused}");
        assert!(refusals.iter().all(|code| code.starts_with(denied)), "{refused}");
    });
}
