//! Amounts as Cost Explorer writes them: decimals of any length, sometimes with an exponent.

use p1_contract::ids::UsdAmount;

/// How many decimal places an amount keeps.
const PLACES: i32 = 10;

/// More digits or a larger exponent than any bill has.
const MAX_DIGITS: usize = 60;

/// Reads an amount of Cost Explorer. What is finer than ten decimal places is rounded up, so that spend is never
/// understated; an amount that fits is kept as it was written.
pub(crate) fn from_cost_explorer(text: &str) -> Option<UsdAmount> {
    if let Ok(amount) = UsdAmount::parse(text) {
        return Some(amount);
    }
    let (is_negative, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text),
    };
    let (decimal, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((decimal, exponent)) => (decimal, exponent.parse::<i32>().ok()?),
        None => (magnitude, 0),
    };
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits = format!("{whole}{fraction}");
    let is_number = !whole.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || digits.len() > MAX_DIGITS || exponent.unsigned_abs() as usize > MAX_DIGITS {
        return None;
    }
    let shift = exponent - i32::try_from(fraction.len()).ok()? + PLACES;
    let scaled = scale(&digits, shift, !is_negative)?;
    let padded = format!("{scaled:0>11}");
    let (whole, fraction) = padded.split_at(padded.len() - PLACES as usize);
    let sign = if is_negative { "-" } else { "" };
    let text = format!("{sign}{whole}.{fraction}");
    UsdAmount::parse(text.trim_end_matches('0').trim_end_matches('.')).ok()
}

/// `digits` × 10^`shift` as a whole number; what is cut off counts as one more when `round_up`.
fn scale(digits: &str, shift: i32, round_up: bool) -> Option<u128> {
    let places = shift.unsigned_abs() as usize;
    if shift >= 0 {
        return format!("{digits}{}", "0".repeat(places)).parse().ok();
    }
    let (kept, cut) = digits.split_at(digits.len().saturating_sub(places));
    let kept: u128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let has_rest = cut.bytes().any(|byte| byte != b'0');
    Some(kept + u128::from(has_rest && round_up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        from_cost_explorer(text).map(|amount| amount.as_str().to_owned())
    }

    #[test]
    fn amounts_that_fit_are_kept_as_written() {
        for text in ["0", "12.34", "0.0000000000", "-1.5", "415.4834756098"] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn finer_amounts_are_rounded_up() {
        assert_eq!(read("12.34000000001").as_deref(), Some("12.3400000001"));
        assert_eq!(read("12.34000000000").as_deref(), Some("12.34"));
        assert_eq!(read("1.4E-8").as_deref(), Some("0.000000014"));
        assert_eq!(read("4E-12").as_deref(), Some("0.0000000001"));
        assert_eq!(read("-4E-12").as_deref(), Some("-0"));
        assert_eq!(read("-2.00000000009").as_deref(), Some("-2"));
        assert_eq!(read("1.25e2").as_deref(), Some("125"));
        assert_eq!(read("0E-14").as_deref(), Some("0"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-",
            "NaN",
            "1,5",
            "1e",
            "e5",
            "1e999999999999",
            "1E60",
            "0x10",
            ".5",
            "1.2.3",
            "٣",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
