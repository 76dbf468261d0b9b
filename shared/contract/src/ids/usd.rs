//! Amounts of money as decimal text.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::parse_error::{ParseError, text_conversions};

/// How many decimal places an amount may have.
const PLACES: u32 = 10;

/// An amount in US dollars, kept as the decimal text it came as: at most 15 digits before the point and 10 after it.
/// Amounts compare as numbers: `1.5` equals `1.50`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsdAmount {
    text: String,
    /// The amount × 10^10, exactly.
    scaled: i128,
}

impl UsdAmount {
    /// Parses an amount.
    ///
    /// # Errors
    /// When the text is no decimal number of that size: no exponent, no plus sign, no leading zeros.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let scaled = scaled(text).ok_or_else(|| {
            ParseError::new(
                "an amount in US dollars",
                text,
                "a decimal number like 12.34, at most 15 digits before the point and 10 after it",
            )
        })?;
        Ok(Self {
            text: text.to_owned(),
            scaled,
        })
    }

    /// The amount of this many dollars.
    ///
    /// # Errors
    /// When it has more than 15 digits.
    pub fn from_integer(dollars: i64) -> Result<Self, ParseError> {
        Self::parse(&dollars.to_string())
    }

    /// The text as it was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The sum, without trailing zeros. Returns `None` if it has more than 15 digits before the point.
    ///
    /// ```
    /// use p1_contract::ids::UsdAmount;
    ///
    /// let sum = UsdAmount::parse("12.34")?.plus(&UsdAmount::parse("0.66")?);
    /// assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some("13"));
    /// # Ok::<(), p1_contract::parse_error::ParseError>(())
    /// ```
    #[must_use]
    pub fn plus(&self, other: &Self) -> Option<Self> {
        let sum = self.scaled.checked_add(other.scaled)?;
        let sign = if sum < 0 { "-" } else { "" };
        let unit = 10_u128.pow(PLACES);
        let (whole, fraction) = (sum.unsigned_abs() / unit, sum.unsigned_abs() % unit);
        let text = format!("{sign}{whole}.{fraction:0width$}", width = PLACES as usize);
        Self::parse(text.trim_end_matches('0').trim_end_matches('.')).ok()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.scaled < 0
    }

    /// Whether it is zero, however written.
    pub fn is_zero(&self) -> bool {
        self.scaled == 0
    }
}

fn scaled(text: &str) -> Option<i128> {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match magnitude.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (magnitude, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let whole_is_good = is_digits(whole) && whole.len() <= 15 && (whole == "0" || !whole.starts_with('0'));
    let fraction_is_good = fraction.is_none_or(|part| is_digits(part) && part.len() <= PLACES as usize);
    if !whole_is_good || !fraction_is_good {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    let scaled: i128 = format!("{whole}{fraction:0<width$}", width = PLACES as usize)
        .parse()
        .ok()?;
    Some(if text.starts_with('-') { -scaled } else { scaled })
}

impl PartialEq for UsdAmount {
    fn eq(&self, other: &Self) -> bool {
        self.scaled == other.scaled
    }
}

impl Eq for UsdAmount {}

impl PartialOrd for UsdAmount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UsdAmount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scaled.cmp(&other.scaled)
    }
}

impl Hash for UsdAmount {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scaled.hash(state);
    }
}

impl AsRef<str> for UsdAmount {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for UsdAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

text_conversions!(UsdAmount, pattern = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?$");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> UsdAmount {
        UsdAmount::parse(text).unwrap()
    }

    #[test]
    fn compares_as_numbers_and_keeps_its_text() {
        assert!(usd("9") < usd("10"));
        assert!(usd("-10") < usd("-9.5"));
        assert!(usd("270.0000000001") > usd("270"));
        assert_eq!(usd("1.5"), usd("1.50"));
        assert_eq!(usd("1.50").to_string(), "1.50");
        assert_eq!(serde_json::to_string(&usd("1.50")).unwrap(), "\"1.50\"");
        assert!(usd("-0.00").is_zero() && !usd("-0.00").is_negative() && usd("-0") == usd("0"));
        assert!(usd("-0.0000000001").is_negative());
        assert_eq!(UsdAmount::from_integer(300).unwrap(), usd("300.0"));
        assert!(UsdAmount::from_integer(i64::MAX).is_err());
        assert!(usd("999999999999999.9999999999") > usd("999999999999999"));
    }

    #[test]
    fn refuses_other_numbers() {
        let (fine, large) = ("1.12345678901", "1000000000000000");
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e3", "1,000", " 1", "$1", fine, large, "٣", "NaN", "--1", "1.2.3",
        ] {
            assert!(UsdAmount::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_cents(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
            let written = |n: i64| format!("{}{}.{:02}", if n < 0 { "-" } else { "" }, n.abs() / 100, n.abs() % 100);
            prop_assert_eq!(usd(&written(a)).cmp(&usd(&written(b))), a.cmp(&b));
        }

        #[test]
        fn never_panics(text in any::<String>(), number in "-?[0-9.]{0,20}") {
            let _ = (UsdAmount::parse(&text), UsdAmount::parse(&number));
        }
    }
}
