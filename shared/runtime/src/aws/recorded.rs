//! The table of recorded answers, `recorded.tsv`.

/// The table.
const TABLE: &str = include_str!("recorded.tsv");

/// One answer of AWS.
#[derive(Debug)]
pub(super) struct Fact {
    /// The call that is judged, in the form of `Debug`, or `any`.
    pub(super) call: &'static str,
    /// The API operation that gave the answer: an operation of the call, or a HEAD of the same object.
    pub(super) operation: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// The error code. `None` if the answer has no body.
    pub(super) code: Option<&'static str>,
    /// Its meaning for us, in the form of an `Answer`'s `Debug`.
    pub(super) judged: &'static str,
    /// The place where it was recorded or is documented.
    pub(super) source: &'static str,
    /// The reason for the judgement, if the code does not show it.
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
