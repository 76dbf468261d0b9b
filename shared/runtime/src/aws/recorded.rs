//! The table of recorded answers, `recorded.tsv`.

/// The table.
const TABLE: &str = include_str!("recorded.tsv");

/// One answer of AWS.
#[derive(Debug)]
pub(super) struct Fact {
    /// The call that is judged, as `Debug` writes it, or `any`.
    pub(super) call: &'static str,
    /// The API's operation that gave the answer: one of the call's, or a HEAD of the same thing.
    pub(super) operation: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// The error code; none where the answer has no body.
    pub(super) code: Option<&'static str>,
    /// What it means for us, as `Debug` writes an `Answer`.
    pub(super) judged: &'static str,
    /// Where it was recorded or is documented.
    pub(super) source: &'static str,
    /// Why it is judged so, where the code does not say it.
    pub(super) why: Option<&'static str>,
}

/// All rows.
pub(super) fn facts() -> impl Iterator<Item = Fact> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let [call, operation, status, code, judged, source, why] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not seven columns: {row:?}")
        };
        let given = |column| (column != "-").then_some(column);
        Fact {
            call,
            operation,
            status: given(status).map_or(0, |status| status.parse().unwrap()),
            code: given(code),
            judged,
            source,
            why: given(why),
        }
    })
}
