//! The admission.

use p1_contract::artifacts::RerunAdmissionReceipt;
use p1_contract::blocker::Blocker;
use p1_contract::request::TaskOutcome;

use super::refusal::refused;
use super::*;

pub(super) fn machine_down() -> [Finding; 1] {
    [Blocker::StateMachineUnavailable.on("machine", "is DELETING")]
}

/// Held at M3.D by a machine that is down: the ordinary reason for a rerun.
pub(super) fn held() -> World {
    World::held_at(Step::OrchestratorReadiness, &machine_down())
}

pub(super) fn admit(world: &World, n: u8, input: &Value) -> StepResult {
    world.call(n, Mode::Admission, &Closures::new(), input).unwrap()
}

fn owners(closures: &Closures) -> Vec<&'static str> {
    closures.keys().map(|owner| owner.id()).collect()
}

pub(super) fn ledger_records(world: &World) -> usize {
    let prefix = world.run.platform_run_id.ledger_prefix();
    let objects = world.store.dump(EVIDENCE);
    objects.keys().filter(|key| key.starts_with(&prefix)).count()
}

#[test]
fn a_held_run_goes_on_at_the_step_that_held() {
    let world = held();
    let result = admit(&world, 2, &world.resumed());
    assert_eq!(result_codes(&result), [] as [&str; 0]);
    let admitted = result.admitted().unwrap();
    assert_eq!(admitted.resume_at, Step::OrchestratorReadiness);
    assert!(!admitted.only);
    let closures = &admitted.closures;
    assert_eq!(owners(closures), ["ADMISSION", "M3.A", "M3.B", "M3.C"]);
    assert_eq!(closures["M3.A"], world.closures["M3.A"]);
    assert_eq!(closures["ADMISSION"], result.closure.clone().unwrap());
    assert_eq!(result.run, RunIds::from(world.run.clone()));
    let receipt = world.artifact(&result, "m3g_admission_receipt");
    assert_eq!(receipt["admitted"], true);
    assert_eq!(receipt["ledger_sequence"], 2);
    assert_eq!(receipt["resume_at"], "M3.D");
    let mut checks = receipt["checks"].as_array().unwrap().iter();
    assert!(checks.all(|check| check["pass"] == true), "{receipt}");
    assert_eq!(ledger_records(&world), 2);
}

#[test]
fn a_faulted_run_goes_on_after_its_last_summary() {
    let world = World::held_at(Step::OrchestratorReadiness, &[]);
    let result = admit(&world, 2, &world.resumed());
    assert_eq!(
        (result_codes(&result), result.admitted().map(|go_on| go_on.resume_at)),
        (vec![], Some(Step::RunPublication))
    );
    assert!(result.admitted().unwrap().closures.clone().contains_key("M3.D"));
}

#[test]
fn a_retry_gives_the_same_evidence() {
    let world = held();
    let input = world.resumed();
    let first = admit(&world, 2, &input);
    let stored = world.store.dump(EVIDENCE);
    world.repin(&[("SR_READY_COMMIT_AUTHORITY", "\"other\"")]);
    assert_eq!(admit(&world, 2, &input), first);
    assert_eq!(world.store.dump(EVIDENCE), stored);
}

#[test]
fn an_attempt_that_had_acquired_and_lost_its_observations_is_recognised() {
    let world = held();
    world.acquire(2, 2);
    let result = admit(&world, 2, &world.resumed());
    assert_eq!((result.outcome(), ledger_records(&world)), (TaskOutcome::Admitted, 2));
}

#[test]
fn only_todays_registry_is_pinned_for_the_steps_to_come() {
    let world = held();
    world.repin(&[("DEV_FULL_MONTHLY_BUDGET_LIMIT_USD", "300")]);
    let result = admit(&world, 2, &world.resumed());
    assert_eq!(result_codes(&result), [] as [&str; 0]);
    let summary = world.artifact(&result, "m3g_admission_summary");
    let pins: Vec<_> = summary["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|input| input["bucket"] == ARTIFACTS)
        .collect();
    let receipt = world.artifact(&result, "m3g_admission_receipt");
    assert_eq!(pins, [&receipt["registry"]]);
    assert_ne!(receipt["registry"]["sha256"], json!(world.registry.sha256));
}

#[test]
fn a_run_can_be_resumed_again() {
    let mut world = held();
    let mended = [("ROLE_STEP_FUNCTIONS_ORCHESTRATOR", "\"arn:mended\"")];
    world.repin(&mended);
    let first = admit(&world, 2, &world.resumed());
    world.closures = first.admitted().unwrap().closures.clone();
    world.close(2, Step::OrchestratorReadiness, &[]);
    world.close(
        2,
        Step::RunPublication,
        &[Blocker::RunEvidenceWriteFailed.on("run.json", "INCONCLUSIVE")],
    );
    let input = world.rerun(Step::RunPublication);
    let second = admit(&world, 3, &input);
    assert_eq!(
        (result_codes(&second), second.admitted().map(|go_on| go_on.resume_at)),
        (vec![], Some(Step::RunPublication))
    );
    let closures = second.admitted().unwrap().closures.clone();
    assert_eq!(closures["ADMISSION"], second.closure.unwrap());
    assert_eq!(owners(&closures), ["ADMISSION", "M3.A", "M3.B", "M3.C", "M3.D"]);

    // The handle that M3.D read after it was mended binds from then on; M3.A's registry does not bind M3.D any more.
    world.closures = closures;
    world.close(3, Step::RunPublication, &[]);
    world.repin(&[]);
    let third = admit(&world, 4, &world.rerun(Step::RunPublication));
    assert_eq!(result_codes(&third), ["M3G-B2"]);
}

#[test]
fn an_ended_holder_without_a_summary_is_passed_over() {
    let world = held();
    world.acquire(2, 3);
    let result = admit(&world, 2, &world.resumed());
    assert_eq!((result.outcome(), ledger_records(&world)), (TaskOutcome::Admitted, 3));
}

#[test]
fn one_state_alone_can_be_run() {
    let world = held();
    let mut input = world.resumed();
    input["resume"]["only"] = json!(true);
    assert!(admit(&world, 2, &input).admitted().unwrap().only);

    let world = World::held_at(Step::CostEnvelope, &[]);
    let mut input = world.rerun(Step::CostEnvelope);
    assert_eq!(
        admit(&world, 3, &input).admitted().map(|go_on| go_on.resume_at),
        Some(Step::GateRollup)
    );
    input["resume"]["only"] = json!(true);
    let world = World::held_at(Step::CostEnvelope, &[]);
    assert_eq!(refused(&world, &input), ["M3G-B1"]);
}

#[test]
fn the_mode_must_fit() {
    let world = held();
    let error = world
        .call(2, Mode::Admission, &Closures::new(), &operator_start())
        .unwrap_err();
    assert_eq!(error.name(), "InvalidInput");
    assert!(error.to_string().contains("`resume` is missing"), "{error}");
}

#[test]
fn the_receipt_is_a_document() {
    let world = held();
    let result = admit(&world, 2, &world.resumed());
    let key = key_of(&result.phase_execution_id, "m3g_admission_receipt");
    let bytes = world.store.dump(EVIDENCE)[key.as_str()].clone();
    let document = Document::<RerunAdmissionReceipt>::parse(&bytes).unwrap();
    assert_eq!(document.header.phase_execution_id, result.phase_execution_id);
    assert_eq!(document.render().unwrap(), bytes);
}
