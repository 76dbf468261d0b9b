//! `cargo p1 init` writes what lint finds nothing wrong with, and `cargo p1 run` takes.

use std::path::Path;

use p1::commands::{init, lint};
use p1::drive::preflight;
use p1::{CliError, ExitStatus, InitArgs, LintArgs, RunArgs};
use p1_local::Profile;
use p1_tests::world;

fn lint_args(dir: &Path, environment: &str) -> LintArgs {
    let file = |name: &str| dir.join(name);
    LintArgs {
        registry: Some(file("handles.registry.md")),
        stack_outputs: vec![file("stack-outputs.json")],
        m2_receipt: Some(file("m2_receipt.json")),
        billing: Some(file("billing.json")),
        environment: Some(environment.to_owned()),
        ..LintArgs::default()
    }
}

#[tokio::test]
async fn what_init_writes_is_clean_and_a_run_takes_it() {
    let root = tempfile::tempdir().unwrap();
    let default = InitArgs {
        dir: root.path().join("a/default"),
        ..InitArgs::default()
    };
    let own = InitArgs {
        dir: root.path().join("own"),
        account: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        environment: Some("prod_2".to_owned()),
        json: false,
    };
    for (args, environment) in [(&default, "dev_full"), (&own, "prod_2")] {
        assert_eq!(init::init(args).unwrap(), ExitStatus::Advance);
        let linted = lint_args(&args.dir, environment);
        assert_eq!(lint::lint(&linted).await.unwrap(), ExitStatus::Advance);
        let inputs = preflight::check(&RunArgs {
            registry: linted.registry.clone(),
            stack_outputs: linted.stack_outputs.clone(),
            m2_receipt: linted.m2_receipt.clone(),
            billing: linted.billing.clone(),
            ..RunArgs::default()
        });
        assert!(inputs.unwrap().registry.is_some());
        let profile = Profile::load(Some(&args.dir.join("platform.json"))).unwrap();
        assert_eq!(profile.environment.as_str(), environment);
    }
    // The local platform's own names: the registry is the one that every end-to-end test runs on.
    let registry = std::fs::read_to_string(default.dir.join("handles.registry.md")).unwrap();
    assert_eq!(registry, world::registry());
    let registry = std::fs::read_to_string(own.dir.join("handles.registry.md")).unwrap();
    for name in [
        "ROLE_TERRAFORM_APPLY_PROD_2 = \"arn:aws:iam::111122223333:",
        "fraud-platform-prod-2-evidence",
        "\"eu-central-1\"",
    ] {
        assert!(registry.contains(name), "{name}");
    }
}

#[test]
fn init_overwrites_nothing_and_refuses_names_that_do_not_fit() {
    let root = tempfile::tempdir().unwrap();
    let args = InitArgs {
        dir: root.path().to_owned(),
        ..InitArgs::default()
    };
    std::fs::write(root.path().join("billing.json"), "mine").unwrap();
    let error = init::init(&args).unwrap_err();
    assert!(
        matches!(&error, CliError::Usage(why) if why.contains("has billing.json already")),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    let unfit: [fn(&mut InitArgs); 3] = [
        |args| args.account = Some("12".to_owned()),
        |args| args.region = Some("here".to_owned()),
        |args| args.environment = Some("Prod".to_owned()),
    ];
    for spoil in unfit {
        let mut args = args.clone();
        spoil(&mut args);
        assert!(matches!(init::init(&args), Err(CliError::Usage(_))), "{args:?}");
    }
}

#[tokio::test]
async fn exit_statuses_are_those_of_the_table() {
    let root = tempfile::tempdir().unwrap();
    let args = InitArgs {
        dir: root.path().to_owned(),
        ..InitArgs::default()
    };
    init::init(&args).unwrap();
    let linted = lint_args(root.path(), "dev_full");
    let registry = std::fs::read_to_string(linted.registry.as_ref().unwrap()).unwrap();
    for (text, expected) in [
        (
            registry.replace("ALERT_1_USD = 100", "ALERT_1_USD = 200"),
            ExitStatus::Hold,
        ),
        ("nothing is declared here".to_owned(), ExitStatus::Usage),
    ] {
        std::fs::write(linted.registry.as_ref().unwrap(), text).unwrap();
        assert_eq!(lint::lint(&linted).await.unwrap(), expected);
    }
    let unusable: [fn(&mut LintArgs, &Path); 6] = [
        |args, root| args.registry = Some(root.join("none.md")),
        |args, root| args.registry = Some(root.to_owned()),
        |args, _| args.environment = Some("Prod".to_owned()),
        |args, _| args.state_machine = Some("machine".to_owned()),
        |args, _| args.evidence_bucket = Some("No".to_owned()),
        |args, _| args.role = Some("role".to_owned()),
    ];
    for spoil in unusable {
        let mut args = linted.clone();
        spoil(&mut args, root.path());
        assert!(matches!(lint::lint(&args).await, Err(CliError::Usage(_))), "{args:?}");
    }
}
