//! The ids that P1 mints: of the run, of its scenario, and of each phase execution.

use super::Stamp;
use crate::hash::{Sha256Hex, is_lower_hex};
use crate::owner::Owner;
use crate::parse_error::text_newtype;

/// The highest suffix that a collision may lead to.
const MAX_ATTEMPT: u8 = 20;

text_newtype! {
    /// The id of a run: `platform_` + the minting execution's stamp, on collision with `_01` … `_20`.
    PlatformRunId,
    what = "a platform run id",
    pattern = "^platform_[0-9]{8}T[0-9]{6}Z(_[0-9]{2})?$",
    expected = "platform_<YYYYMMDDTHHMMSSZ>, a real time, perhaps with a suffix _01 to _20",
    check = is_platform_run_id
}

impl PlatformRunId {
    /// The candidate for this attempt: none has no suffix (`attempt` 0), then `_01` … `_20`; `None` beyond.
    pub fn mint(stamp: Stamp, attempt: u8) -> Option<Self> {
        let base = format!("platform_{}", stamp.compact());
        match attempt {
            0 => Some(Self(base)),
            1..=MAX_ATTEMPT => Some(Self(format!("{base}_{attempt:02}"))),
            _ => None,
        }
    }

    /// The stamp of the execution that minted the id: every id that was parsed has one.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::parse_compact(self.0.split('_').nth(1)?).ok()
    }

    /// `evidence/runs/{id}/`: every object of the run has a key below it.
    pub fn run_root(&self) -> String {
        format!("evidence/runs/{self}/")
    }

    /// `evidence/runs/{id}/ledger/`: where the run's ledger lies.
    pub fn ledger_prefix(&self) -> String {
        format!("{}ledger/", self.run_root())
    }

    /// `evidence/runs/{id}/ledger/000001.json`: the key of a ledger record, counted from 1.
    pub fn ledger_key(&self, seq: u32) -> String {
        format!("{}{seq:06}.json", self.ledger_prefix())
    }
}

fn is_platform_run_id(text: &str) -> bool {
    let Some((stamp, suffix)) = text
        .strip_prefix("platform_")
        .and_then(|rest| rest.split_at_checked(16))
    else {
        return false;
    };
    let suffix_is_good = match suffix.strip_prefix('_') {
        Some(digits) => {
            digits.len() == 2
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse().is_ok_and(|n: u8| (1..=MAX_ATTEMPT).contains(&n))
        }
        None => suffix.is_empty(),
    };
    suffix_is_good && Stamp::parse_compact(stamp).is_ok()
}

text_newtype! {
    /// The id of a scenario: `scenario_` + 32 hexadecimal digits of the digest of its equivalence key.
    ScenarioRunId,
    what = "a scenario run id",
    pattern = "^scenario_[0-9a-f]{32}$",
    expected = "scenario_ and 32 lower-case hexadecimal digits",
    check = |text| text.strip_prefix("scenario_").is_some_and(|digits| digits.len() == 32 && is_lower_hex(digits))
}

impl ScenarioRunId {
    /// The id whose equivalence key has this digest.
    pub fn from_digest(digest: &Sha256Hex) -> Self {
        Self(format!("scenario_{}", digest.first(32)))
    }
}

text_newtype! {
    /// The id of one step of one execution: `m3x_<stamp>_<12 hex>`, the same on every retry and redrive. Those of M2 may have
    /// no digits at the end.
    PhaseExecutionId,
    what = "a phase execution id",
    pattern = "^m[23][a-j]_[0-9]{8}T[0-9]{6}Z(_[0-9a-f]{12})?$",
    expected = "m3x_<YYYYMMDDTHHMMSSZ>_<12 lower-case hexadecimal digits>, a real time",
    check = is_phase_execution_id
}

impl PhaseExecutionId {
    /// The id of a step, or of the admission, in the execution with this ARN: the first 12 hexadecimal digits of the SHA-256 of
    /// the ARN, a newline and the owner's id make it unique (contract section 1).
    pub fn derive(owner: impl Into<Owner>, stamp: Stamp, execution_arn: &str) -> Self {
        let owner = owner.into();
        let digest = Sha256Hex::of(format!("{execution_arn}\n{owner}").as_bytes());
        let prefix = owner.step().prefix();
        Self(format!("{prefix}_{}_{}", stamp.compact(), digest.first(12)))
    }

    /// The stamp of the execution: every id that was parsed has one.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::parse_compact(self.0.split('_').nth(1)?).ok()
    }
}

fn is_phase_execution_id(text: &str) -> bool {
    let [b'm', b'2' | b'3', b'a'..=b'j', b'_', rest @ ..] = text.as_bytes() else {
        return false;
    };
    let Some((stamp, tail)) = std::str::from_utf8(rest)
        .ok()
        .and_then(|rest| rest.split_at_checked(16))
    else {
        return false;
    };
    let tail_is_good = match tail.strip_prefix('_') {
        Some(digits) => digits.len() == 12 && is_lower_hex(digits),
        None => tail.is_empty(),
    };
    tail_is_good && Stamp::parse_compact(stamp).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::step::Step;

    fn stamp() -> Stamp {
        Stamp::parse_compact("20261122T121701Z").unwrap()
    }

    #[test]
    fn mints_platform_run_ids() {
        let id = PlatformRunId::mint(stamp(), 0).unwrap();
        assert_eq!(id.as_str(), "platform_20261122T121701Z");
        assert_eq!(id.run_root(), "evidence/runs/platform_20261122T121701Z/");
        assert_eq!(id.stamp(), Some(stamp()));
        assert_eq!(id.ledger_key(1), format!("{}ledger/000001.json", id.run_root()));
        let second = PlatformRunId::mint(stamp(), 1).unwrap();
        assert_eq!(second.as_str(), "platform_20261122T121701Z_01");
        let last = PlatformRunId::mint(stamp(), 20).unwrap();
        assert_eq!(last.as_str(), "platform_20261122T121701Z_20");
        assert_eq!(last.stamp(), Some(stamp()));
        assert_eq!(PlatformRunId::mint(stamp(), 21), None);
    }

    #[test]
    fn refuses_other_platform_run_ids() {
        for text in [
            "platform_20261122T121701Z_00",
            "platform_20261122T121701Z_21",
            "platform_20261122T121701Z_1",
            "platform_20261122T121701Z_",
            "platform_20261122T121701Z_+1",
            "platform_20260230T121701Z",
            "platform_",
            "Platform_20261122T121701Z",
            " platform_20261122T121701Z",
            "platform_20261122T121701Z\n",
            "",
            "platform_20261122T2517010",
            "platform_20261122T121701é",
        ] {
            assert!(PlatformRunId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn scenario_ids_come_from_digests() {
        let id = ScenarioRunId::from_digest(&Sha256Hex::of(b"abc"));
        assert_eq!(id.as_str(), "scenario_ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(ScenarioRunId::parse(id.as_str()).unwrap(), id);
        assert!(ScenarioRunId::parse("scenario_BA7816BF8F01CFEA414140DE5DAE2223").is_err());
        assert!(ScenarioRunId::parse("scenario_ba78").is_err());
    }

    #[test]
    fn phase_execution_ids_depend_on_execution_and_step() {
        let arn = "arn:aws:states:eu-west-2:123456789012:execution:machine:start";
        let id = PhaseExecutionId::derive(Step::HandleClosure, stamp(), arn);
        let digest = Sha256Hex::of(b"arn:aws:states:eu-west-2:123456789012:execution:machine:start\nM3.A");
        assert_eq!(id.as_str(), format!("m3a_20261122T121701Z_{}", digest.first(12)));
        assert_eq!(PhaseExecutionId::parse(id.as_str()).unwrap(), id);
        let admission = PhaseExecutionId::derive(Owner::Admission, stamp(), arn);
        assert_ne!(PhaseExecutionId::derive(Step::RerunDiscipline, stamp(), arn), admission);
        assert!(PhaseExecutionId::parse("m2j_20261122T121701Z").is_ok());
        for text in [
            "m4a_20261122T121701Z",
            "m3k_20261122T121701Z",
            "m3a_20261322T121701Z",
            "m3a_20261122T121701Z_abc",
            "m3é",
            "m3",
        ] {
            assert!(PhaseExecutionId::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = PlatformRunId::parse(&text);
            let _ = ScenarioRunId::parse(&text);
            let _ = PhaseExecutionId::parse(&text);
            let _ = PhaseExecutionId::parse(&format!("m3a_{text}"));
            let _ = PlatformRunId::parse(&format!("platform_{text}"));
        }

        #[test]
        fn what_is_minted_parses(attempt in 0_u8..=20, arn in any::<String>()) {
            let id = PlatformRunId::mint(stamp(), attempt).unwrap();
            prop_assert_eq!(PlatformRunId::parse(id.as_str()).unwrap(), id);
            let id = PhaseExecutionId::derive(Step::PhaseVerdict, stamp(), &arn);
            prop_assert_eq!(PhaseExecutionId::parse(id.as_str()).unwrap(), id);
        }
    }
}
