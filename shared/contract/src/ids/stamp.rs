//! The one time that evidence knows.

use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan};

use crate::parse_error::{ParseError, text_conversions};

/// A time of whole seconds in UTC: the start of an execution, floored. Serialized as `2026-11-22T12:17:01Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stamp(DateTime);

impl Stamp {
    /// Reads an RFC 3339 time with any offset and floors it to a whole second of UTC.
    ///
    /// # Errors
    /// When the text is not RFC 3339 in upper case, is no calendar time, or its year in UTC is not 0000–9999.
    pub fn from_rfc3339_floor(text: &str) -> Result<Self, ParseError> {
        parse_rfc3339(text).ok_or_else(|| {
            ParseError::new(
                "an RFC 3339 time",
                text,
                "a real time like 2026-11-22T12:17:01.250Z or 2026-11-22T13:17:01+01:00",
            )
        })
    }

    /// Reads the form in which evidence has it, `2026-11-22T12:17:01Z`, and no other.
    ///
    /// # Errors
    /// When the text has another form or is no calendar time.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let stamp = parse_rfc3339(text).filter(|stamp| stamp.rfc3339() == text);
        stamp.ok_or_else(|| ParseError::new("a UTC time", text, "a real time like 2026-11-22T12:17:01Z"))
    }

    /// Reads the compact form, `20261122T121701Z`.
    ///
    /// # Errors
    /// When the text has another form or is no calendar time.
    pub fn parse_compact(text: &str) -> Result<Self, ParseError> {
        let stamp = civil("%Y%m%dT%H%M%SZ", text).filter(|stamp| stamp.compact() == text);
        stamp.ok_or_else(|| ParseError::new("a compact UTC time", text, "a real time like 20261122T121701Z"))
    }

    /// `20261122T121701Z`: the form inside ids.
    pub fn compact(&self) -> String {
        let t = self.0;
        let (date, hour, minute, second) = (self.compact_date(), t.hour(), t.minute(), t.second());
        format!("{date}T{hour:02}{minute:02}{second:02}Z")
    }

    /// `2026-11-22T12:17:01Z`: the form inside evidence.
    pub fn rfc3339(&self) -> String {
        let t = self.0;
        format!("{}T{:02}:{:02}:{:02}Z", self.date(), t.hour(), t.minute(), t.second())
    }

    /// The first instant of the day `2026-11-22`, UTC.
    ///
    /// # Errors
    /// When the text is no such day.
    pub fn from_date(text: &str) -> Result<Self, ParseError> {
        let midnight = Self::parse(&format!("{text}T00:00:00Z"));
        midnight.map_err(|_| ParseError::new("a day", text, "YYYY-MM-DD, a real day"))
    }

    /// `2026-11-22`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }

    /// `20261122`.
    pub fn compact_date(&self) -> String {
        format!("{:04}{:02}{:02}", self.0.year(), self.0.month(), self.0.day())
    }

    /// `2026-11-01`: the first day of the same month.
    pub fn month_start(&self) -> String {
        format!("{:04}-{:02}-01", self.0.year(), self.0.month())
    }

    /// `2026-11-23`: the day after, which bounds half-open windows of days; `None` on the last day of the calendar.
    pub fn next_date(&self) -> Option<String> {
        self.0.checked_add(1.day()).ok().map(|next| Self(next).date())
    }

    /// Whether this is later than `earlier` by more than 24 hours.
    #[must_use]
    pub fn is_more_than_a_day_after(&self, earlier: Self) -> bool {
        earlier.0.checked_add(1.day()).is_ok_and(|bound| self.0 > bound)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({})", self.rfc3339())
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.rfc3339())
    }
}

text_conversions!(
    Stamp,
    pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
);

/// `YYYY-MM-DDThh:mm:ss`, perhaps a fraction, then `Z` or `±hh:mm`. A second 60 is refused: no id can hold it.
fn parse_rfc3339(text: &str) -> Option<Stamp> {
    let (clock, rest) = text.split_at_checked(19)?;
    let local = civil("%Y-%m-%dT%H:%M:%S", clock).filter(|local| local.rfc3339().strip_suffix('Z') == Some(clock))?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    let offset = SignedDuration::from_mins(offset_minutes(zone)?);
    let utc = local.0.checked_sub(offset).ok()?;
    (utc.year() >= 0).then_some(Stamp(utc))
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let two_digits = |part: &str| match part.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => part.parse::<i64>().ok(),
        _ => None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// What jiff reads with this format. It is lenient: whoever asks holds the time, written again, against the text.
fn civil(format: &str, text: &str) -> Option<Stamp> {
    let time = DateTime::strptime(format, text).ok()?;
    (time.year() >= 0).then_some(Stamp(time))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn floor(text: &str) -> String {
        Stamp::from_rfc3339_floor(text).unwrap().compact()
    }

    #[test]
    fn floors_to_seconds_of_utc() {
        assert_eq!(floor("2026-11-22T12:17:01Z"), "20261122T121701Z");
        assert_eq!(floor("2026-11-22T12:17:01.999999999999Z"), "20261122T121701Z");
        assert_eq!(floor("2026-11-22T13:17:01.5+01:00"), "20261122T121701Z");
        assert_eq!(floor("2026-12-31T23:30:00-01:00"), "20270101T003000Z");
        assert_eq!(floor("1969-12-31T23:59:59.9Z"), "19691231T235959Z");
        assert_eq!(floor("9999-12-31T23:59:59Z"), "99991231T235959Z");
        assert_eq!(floor("2028-02-29T00:00:00-00:00"), "20280229T000000Z");
    }

    #[test]
    fn writes_every_form() {
        let stamp = Stamp::parse_compact("20261122T121701Z").unwrap();
        assert_eq!(stamp.rfc3339(), "2026-11-22T12:17:01Z");
        assert_eq!(stamp.to_string(), stamp.rfc3339());
        assert_eq!(
            (stamp.date(), stamp.compact_date()),
            ("2026-11-22".into(), "20261122".into())
        );
        assert_eq!(stamp.month_start(), "2026-11-01");
        assert_eq!(stamp.next_date(), Some("2026-11-23".into()));
        assert_eq!(serde_json::to_string(&stamp).unwrap(), "\"2026-11-22T12:17:01Z\"");
        assert!(serde_json::from_str::<Stamp>("\"2026-11-22T12:17:01.5Z\"").is_err());
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T12:17:01",
            "2026-11-22 12:17:01Z",
            "2026-11-22t12:17:01z",
            "2026-02-30T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:17:60Z",
            "2026-11-22T12:17:01.Z",
            "2026-11-22T12:17:01+1:00",
            "2026-11-22T12:17:01+24:00",
            "2026-11-22T12:17:01+01:60",
            "2026-11-22T12:17:01ZZ",
            "+026-11-22T12:17:01Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-11-22T12:17:0éZ",
            "-026-11-22T12:17:01Z",
            "２026-11-22T12:17:01Z",
        ] {
            assert!(Stamp::from_rfc3339_floor(text).is_err(), "{text}");
        }
        for text in [
            "20261322T121701Z",
            "20261122T121760Z",
            "20261122T121701",
            "2026-1122T12171Z",
            "20261122t121701Z",
            "-0261122T121701Z",
        ] {
            assert!(Stamp::parse_compact(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), tail in "[0-9:.Z+-]{0,12}") {
            let _ = Stamp::from_rfc3339_floor(&text);
            let _ = Stamp::parse_compact(&text);
            let _ = Stamp::from_rfc3339_floor(&format!("2026-11-22T12:17:01{tail}"));
        }

        #[test]
        fn forms_agree(y in 0_i16..=9999, mo in 1_i8..=12, d in 1_i8..=28, h in 0_i8..24, mi in 0_i8..60, s in 0_i8..60) {
            let stamp = Stamp(DateTime::new(y, mo, d, h, mi, s, 0).unwrap());
            prop_assert_eq!(Stamp::parse_compact(&stamp.compact()).unwrap(), stamp);
            prop_assert_eq!(Stamp::parse(&stamp.rfc3339()).unwrap(), stamp);
            prop_assert_eq!(Stamp::from_rfc3339_floor(&stamp.rfc3339()).unwrap(), stamp);
        }
    }
}
