//! Numbers by what they are worth: `1`, `1.0` and `1e0` are one number, whatever their length, and nothing is rounded.

use std::fmt;

/// The largest power of ten that is read. It bounds the number's one form, not how it is written, so that every text of one worth is
/// read or none is.
const MAX_EXPONENT: i64 = 1_000_000_000_000;

/// How many zeros are written out instead of an exponent.
const MAX_ZEROS: i64 = 40;

/// A decimal number of any length. It has one form for one worth, so that equality is equality of worth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    is_negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The number is `digits` × 10^`exponent`.
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it: `-12.50e3`. `None` for anything else, and beyond 10^±1,000,000,000,000.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (is_negative, magnitude) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match magnitude.find(['e', 'E']) {
            Some(at) => (&magnitude[..at], Some(&magnitude[at + 1..])),
            None => (magnitude, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || !fraction.is_none_or(is_digits) {
            return None;
        }
        let power_digits = power.map(|power| power.strip_prefix(['+', '-']).unwrap_or(power));
        if !power_digits.is_none_or(is_digits) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        let written = format!("{whole}{fraction}");
        let without_tail = written.trim_end_matches('0');
        let digits = without_tail.trim_start_matches('0');
        if digits.is_empty() {
            // Zero has no sign and no exponent.
            return Some(Self {
                is_negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let power = power.map_or(Some(0), |power| power.parse::<i64>().ok())?;
        let places = i64::try_from(fraction.len()).ok()?;
        let tail = i64::try_from(written.len() - without_tail.len()).ok()?;
        let exponent = power.checked_sub(places)?.checked_add(tail)?;
        (exponent.unsigned_abs() <= MAX_EXPONENT.unsigned_abs()).then(|| Self {
            is_negative,
            digits: digits.to_owned(),
            exponent,
        })
    }
}

/// The number as JSON writes it. Another text of the same worth is written alike.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative {
            f.write_str("-")?;
        }
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        match self.exponent {
            _ if self.digits.is_empty() => f.write_str("0"),
            zeros @ 0..=MAX_ZEROS => write!(f, "{}{}", self.digits, "0".repeat(usize::try_from(zeros).unwrap_or(0))),
            exponent if exponent < 0 && -exponent < length => {
                let (whole, fraction) = self.digits.split_at(usize::try_from(length + exponent).unwrap_or(0));
                write!(f, "{whole}.{fraction}")
            }
            exponent if exponent < 0 && -exponent - length <= MAX_ZEROS => {
                let zeros = usize::try_from(-exponent - length).unwrap_or(0);
                write!(f, "0.{}{}", "0".repeat(zeros), self.digits)
            }
            exponent => write!(f, "{}e{exponent}", self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        Decimal::parse(text).map(|number| number.to_string())
    }

    #[test]
    fn one_worth_has_one_form() {
        for (form, texts) in [
            ("1", &["1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000"][..]),
            ("1000", &["1000", "1e3", "1.0e3", "10e2", "100000e-2"]),
            ("0", &["0", "-0", "0.0", "0e9", "-0.0e-5", "0e99999999999999999999999"]),
            ("-0.25", &["-0.25", "-0.250", "-25e-2", "-2.5E-1"]),
            (
                "12345678901234567890.123",
                &["12345678901234567890.123", "12345678901234567890123e-3"],
            ),
            ("1e400", &["1e400", "10e399"]),
            ("0.0001", &["0.0001", "1e-4"]),
        ] {
            for text in texts {
                assert_eq!(shown(text).as_deref(), Some(form), "{text}");
            }
        }
        for texts in [
            // Found by fuzzing: a tail of zeros carries the one form past the bound.
            ["9690e1000000000000", "969e1000000000001"],
            ["0.1e-1000000000000", "1e-1000000000001"],
        ] {
            assert_eq!(texts.map(shown), [None, None], "{texts:?}");
        }
        for texts in [
            ["10e999999999999", "0.1e1000000000001"],
            ["10e-1000000000001", "0.001e-999999999997"],
        ] {
            assert!(shown(texts[0]).is_some(), "{texts:?}");
            assert_eq!(shown(texts[0]), shown(texts[1]), "{texts:?}");
        }
        assert_ne!(shown("12345678901234567890"), shown("12345678901234567891"));
        assert_ne!(shown("0.1"), shown("0.10000000000000000000000001"));
        assert_ne!(shown("1"), shown("-1"));
    }

    #[test]
    fn anything_else_is_no_number() {
        let beyond = [i64::MIN, i64::MAX, 9_999_999_999_999_999].map(|power| format!("1e{power}"));
        let no_numbers = [
            "", "-", "01", "+1", ".5", "5.", "1e", "1e+", "1 ", " 1", "1,0", "0x1", "NaN", "1e1.5", "--1", "1_000",
            "１",
        ];
        for text in beyond.iter().map(String::as_str).chain(no_numbers) {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_the_number(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?") {
            let number = Decimal::parse(&text).unwrap();
            prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number));
        }

        #[test]
        fn at_the_bound_what_is_shown_is_the_number(
            text in "-?[1-9][0-9]{0,6}0{0,6}(\\.0{0,6}[0-9]{1,6})?[eE][+-]?(99999999999[0-9]|100000000000[0-9])"
        ) {
            if let Some(number) = Decimal::parse(&text) {
                prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number));
            }
        }

        #[test]
        fn whole_numbers_are_shown_as_themselves(n in any::<i64>()) {
            prop_assert_eq!(shown(&n.to_string()), Some(n.to_string()));
        }

        #[test]
        fn any_text_gets_an_answer(text in any::<String>(), marks in "[-+0-9.eE]{0,20}") {
            let _ = (Decimal::parse(&text), Decimal::parse(&marks));
        }
    }
}
