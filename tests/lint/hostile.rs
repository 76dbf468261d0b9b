//! Registries that nobody writes: every one gets an answer, soon, and none of them gets lint to speak of a secret.

use p1_lint::lint;

use crate::scene::{End, Scene};

#[tokio::test]
async fn a_registry_of_a_hundred_thousand_contradictions_is_judged() {
    // A test of time without a clock: what is not linear takes hours here.
    let many: String = (0..50_000).map(|n| format!("* `X{n} = 1`\n* `X{n} = 2`\n")).collect();
    let text = String::from_utf8(Scene::default().registry).unwrap();
    let scene = Scene::of(format!(
        "{many}\n{}",
        text.replace("BUDGET_CURRENCY = \"USD\"", "BUDGET_CURRENCY = \"EUR\"")
    ));
    let report = lint(&scene.inputs()).await;
    let codes: Vec<_> = report
        .holds
        .iter()
        .map(|hold| hold.codes.iter().map(|code| code.code()).collect::<Vec<_>>())
        .collect();
    assert_eq!(codes, [["M3A-B6"], ["M3H-B7"]]);
    assert!(report.count() <= 102);
}

#[tokio::test]
async fn spans_over_lines_and_repeated_secrets_are_mended_in_place() {
    let scene = Scene::edited(
        "* `CONFIG_DIGEST_ALGO = \"sha256\"`",
        "* `CONFIG_DIGEST_ALGO =\n  \"TO_PIN\"` a note\n* `A_PASSWORD = \"hunter2hunter2\"`",
    )
    .with("\"written_at_utc\"", "\"other\"")
    .with("ALERT_3_USD = 225", "ALERT_3_USD = TO_PIN");
    let report = lint(&scene.inputs()).await;
    let codes: Vec<_> = report
        .holds
        .iter()
        .map(|hold| hold.codes.iter().map(|code| code.code()).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        codes,
        [vec!["M3A-B2", "M3A-B8"], vec!["M3E-B2"], vec!["M3H-B1"]],
        "{report:#?}"
    );
    let text = String::from_utf8(scene.registry.clone()).unwrap();
    let last = &report.holds[2].findings[0];
    let line = 1 + text.lines().position(|line| line.contains("ALERT_3_USD")).unwrap();
    assert!(
        last.line == Some(line) && last.detail.contains(&format!("line {line} ")),
        "{last:?}"
    );
    assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
    assert!(matches!(scene.run().await, End::Held(_, codes) if codes == report.holds[0].codes));
}
