//! Median, spread and slope; and pairs, which are measured alternately so that what else the machine does hits both sides.

use serde::{Deserialize, Serialize};

/// A figure with its spread over the pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// How many there were.
    pub count: usize,
}

impl Spread {
    /// The spread of some values; none of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        Some(Spread {
            median: quantile(&sorted, 0.5)?,
            low: *sorted.first()?,
            high: *sorted.last()?,
            count: sorted.len(),
        })
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The quantile of sorted values, between two of them where it falls there.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (*sorted.get(below)?, *sorted.get(above)?);
    Some(low + (high - low) * (place - place.floor()))
}

/// The value that this share of the values is not above.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    quantile(&sorted(values), share)
}

/// Two sides, measured alternately.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pairs {
    /// The one side, in the order of the pairs.
    pub ours: Vec<f64>,
    /// The other side.
    pub theirs: Vec<f64>,
}

impl Pairs {
    /// Adds a pair.
    pub fn push(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// The spread of ours ÷ theirs, pair by pair.
    #[must_use]
    pub fn ratio(&self) -> Option<Spread> {
        let ratios: Vec<f64> = self.ours.iter().zip(&self.theirs).map(|(a, b)| a / b).collect();
        Spread::of(&ratios)
    }
}

/// The exponent `e` of `y ~ x^e` that fits best: the slope of the least squares line in logarithms.
#[must_use]
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| logs.iter().map(pick).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (logs.len() > 1 && variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_percentiles_are_those_of_the_textbook() {
        let spread = Spread::of(&[3.0, 1.0, 2.0, 10.0]).unwrap();
        assert_eq!(
            (spread.median, spread.low, spread.high, spread.count),
            (2.5, 1.0, 10.0, 4)
        );
        assert!(Spread::of(&[]).is_none());
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.95), Some(95.0));
    }

    #[test]
    fn the_ratio_is_taken_pair_by_pair() {
        let mut pairs = Pairs::default();
        // The machine slows down fourfold; each pair has the same ratio.
        pairs.push(1.0, 2.0);
        pairs.push(4.0, 8.0);
        let ratio = pairs.ratio().unwrap();
        assert_eq!((ratio.median, ratio.low, ratio.high), (0.5, 0.5, 0.5));
    }

    #[test]
    fn a_square_has_exponent_two() {
        let square: Vec<(f64, f64)> = [1.0, 3.0, 10.0].map(|x: f64| (x, 7.0 * x * x)).to_vec();
        assert!((exponent(&square).unwrap() - 2.0).abs() < 1e-9);
        assert!(exponent(&square[..1]).is_none());
    }
}
