//! What reaches people: a topic is told of every execution that did not succeed and, by choice, of every advance. The message
//! alone says which code, about what, what to do, and the input to go on with.

use std::collections::BTreeMap;

use p1_contract::blocker::Blocker;
use p1_contract::input::TO_FILL;
use p1_local::progress::Lines;
use p1_tests::filled_in;
use p1_tests::stage::{Ended, Stage, on_stage_of_its_own};
use serde_json::{Value, json};

/// Makes a topic with a queue that gets what it is told, and prints both: `boto3` of the platform's own tools.
const MAKE: &str = "import boto3,json\n\
    sns,sqs=boto3.client('sns'),boto3.client('sqs')\n\
    topic=sns.create_topic(Name='people')['TopicArn']\n\
    url=sqs.create_queue(QueueName='people')['QueueUrl']\n\
    queue=sqs.get_queue_attributes(QueueUrl=url,AttributeNames=['QueueArn'])['Attributes']['QueueArn']\n\
    sns.subscribe(TopicArn=topic,Protocol='sqs',Endpoint=queue,Attributes={'RawMessageDelivery':'true'})\n\
    print(json.dumps([topic,url]))\n";

/// Takes what there is from the queue, a JSON string a line; waits for it a little where there is nothing.
const TAKE: &str = "import boto3,json,sys\n\
    sqs,url=boto3.client('sqs'),sys.argv[1]\n\
    for message in sqs.receive_message(QueueUrl=url,MaxNumberOfMessages=10,WaitTimeSeconds=2).get('Messages',[]):\n\
    \x20   sqs.delete_message(QueueUrl=url,ReceiptHandle=message['ReceiptHandle'])\n\
    \x20   print(json.dumps(message['Body']))\n";

/// Prints the names of all rules.
const RULES: &str = "import boto3,json\n\
    print(json.dumps([rule['Name'] for rule in boto3.client('events').list_rules()['Rules']]))\n";

fn python(stage: &Stage, script: &str, argument: &str) -> String {
    let output = stage.python().args(["-c", script, argument]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn rules(stage: &Stage) -> Vec<String> {
    let mut rules: Vec<String> = serde_json::from_str(&python(stage, RULES, "")).unwrap();
    rules.retain(|rule| rule.ends_with("-verdicts") || rule.ends_with("-advances"));
    rules
}

/// What the topic was told, by the queue.
struct People<'a> {
    stage: &'a Stage,
    queue: &'a str,
}

impl People<'_> {
    /// All messages so far that were not taken, at least one: the engine delivers an event beside the execution's end.
    fn messages(&self) -> Vec<String> {
        for _ in 0..15 {
            let found = python(self.stage, TAKE, self.queue);
            let messages: Vec<String> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if !messages.is_empty() {
                return messages;
            }
        }
        panic!("the topic was told nothing");
    }

    /// The one message that there is, which is about this execution: its text, and the JSON of its last line.
    fn only(&self, ended: &Ended) -> (String, Value) {
        let mut messages = self.messages();
        assert_eq!(messages.len(), 1, "{messages:?}");
        let text = messages.remove(0);
        // EventBridge delivers each line of a text with its quotes, and the value in it as it is.
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap())
            .collect();
        let name = ended.arn.rsplit(':').next().unwrap();
        assert!(lines[0].contains(name), "{text}");
        let fetch = format!(
            "cargo p1 fetch {} --stack {}",
            ended.arn,
            self.stage.platform.profile().stack_name
        );
        assert!(text.contains(&fetch), "{text}");
        let said = serde_json::from_str(lines.last().unwrap()).unwrap();
        (text, said)
    }

    /// The message of a verdict: its findings are these codes, each with what a person needs.
    fn verdict(&self, ended: &Ended, error: &str, codes: &[Blocker]) -> Value {
        assert_eq!(ended.error, error, "{ended:?}");
        let (text, said) = self.only(ended);
        assert!(text.contains(&format!("ended FAILED, error {error}.")), "{text}");
        assert_eq!(said, ended.outcome(), "the cause, as it is");
        let findings = said["findings"].as_array().unwrap();
        let mut found: Vec<&str> = findings
            .iter()
            .map(|finding| finding["code"].as_str().unwrap())
            .collect();
        found.dedup();
        let expected: Vec<&str> = codes.iter().map(|code| code.code()).collect();
        assert_eq!(found, expected, "{said}");
        assert_eq!(said["blockers"], json!(expected), "{said}");
        for finding in findings {
            let code = codes.iter().find(|code| finding["code"] == code.code()).unwrap();
            assert_eq!(finding["remedy"], code.remedy(), "{finding}");
            assert!(!finding["subject"].as_str().unwrap().is_empty(), "{finding}");
            assert!(!finding["detail"].as_str().unwrap().is_empty(), "{finding}");
        }
        said
    }

    fn advance(&self, ended: &Ended) {
        let (text, said) = self.only(ended);
        assert!(text.contains("ended ADVANCE_TO_M4."), "{text}");
        assert_eq!(said, ended.outcome());
    }
}

async fn redeploy(stage: &mut Stage, parameters: &[(&str, &str)]) {
    let parameters: BTreeMap<String, String> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    stage.platform.redeploy(1, parameters, &Lines).await.unwrap();
}

#[test]
fn people_are_told_what_to_do_and_what_to_go_on_with() {
    on_stage_of_its_own(async |stage| {
        let (topic, queue): (String, String) = serde_json::from_str(&python(stage, MAKE, "")).unwrap();
        assert!(rules(stage).is_empty(), "a topic that is not named is told nothing");

        // Without advances: a run that is held, and nothing of the run that advances before it.
        redeploy(stage, &[("VerdictTopicArn", &topic)]).await;
        assert_eq!(rules(stage).len(), 1);
        let people = People { stage, queue: &queue };
        let start = stage.operator_start().await;
        let held = stage.held_run().await;
        let said = people.verdict(&held, "M3.Hold", &[Blocker::CorrelationFieldsInvalid]);
        assert_eq!(said["next"]["action"], "RESUME");

        // With advances, from here on.
        redeploy(stage, &[("VerdictTopicArn", &topic), ("NotifyAdvances", "true")]).await;
        assert_eq!(rules(stage).len(), 2);
        let people = People { stage, queue: &queue };

        // What was offered, pasted as it is: who resumes is still to be filled in, and the rerun is refused.
        let refused = stage.start(&said["next"]["rerun_input"]).await;
        let said = people.verdict(&refused, "M3.RerunRefused", &[Blocker::ResetReceiptIncomplete]);
        assert!(said["asked"].to_string().contains(TO_FILL), "{said}");
        // A later phase asks meanwhile, and is refused.
        let ids = held.outcome();
        let asked = json!({"platform_run_id": ids["platform_run_id"], "scenario_run_id": ids["scenario_run_id"]});
        let entry = stage.start(&asked).await;
        let refusal = people.verdict(&entry, "M3.EntryRefused", &[Blocker::NoCommittedAdvance]);
        assert_eq!(refusal["asked"], asked);
        // The refused input, filled in, goes on with the run; then the phase is admitted, which is no news.
        let resumed = stage.start(&filled_in(&said["asked"])).await.expect_advance();
        people.advance(&resumed);
        let admitted = stage.start(&refusal["asked"]).await;
        assert_eq!(admitted.outcome()["outcome"], "PHASE_ADMITTED", "{admitted:?}");

        // A fault. Its input is not mailed: the message says how to see it.
        let uri = stage.platform.registry_uri().parse().unwrap();
        stage.put(&uri, b"no handle in here".to_vec()).await;
        let faulted = stage.start(&start).await;
        let (text, cause) = people.only(&faulted);
        assert!(text.contains("ended FAILED, error InvalidInput."), "{text}");
        assert_eq!(cause, serde_json::from_str::<Value>(&faulted.cause).unwrap());
        assert!(cause["errorMessage"].as_str().unwrap().contains("registry"), "{cause}");
        let redrive = format!("redrive-execution --region eu-west-2 --execution-arn {}", faulted.arn);
        assert!(text.contains(&redrive), "{text}");
        assert!(!text.contains(start["m2_handoff"]["key"].as_str().unwrap()), "{text}");
        stage.put_registry(&stage.registry()).await;
        let input: Value = serde_json::from_str(&stage.input(&faulted.arn).await).unwrap();
        people.advance(&stage.start(&input).await.expect_advance());

        // Nobody is told any more.
        redeploy(stage, &[("VerdictTopicArn", "")]).await;
        assert!(rules(stage).is_empty());
        assert_eq!(python(stage, TAKE, &queue), "", "told twice, or what nobody asked for");
    });
}
