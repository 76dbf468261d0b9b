//! The figures, as a table for people, as JSON for programs, and as the table of docs/performance.md.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::stats::Spread;

/// What a figure is held against. A figure that misses its goal is reported, never a failure of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Goal {
    /// Whether the value reaches it.
    #[must_use]
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Goal::AtMost(most) => value <= most,
            Goal::AtLeast(least) => value >= least,
        }
    }
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is measured.
    pub name: String,
    /// The figure.
    pub value: Spread,
    /// Its unit; empty for a ratio.
    pub unit: String,
    /// What it is held against.
    pub goal: Option<Goal>,
}

impl Row {
    /// A figure without a goal.
    #[must_use]
    pub fn new(name: impl Into<String>, value: Spread, unit: &str) -> Self {
        Row {
            name: name.into(),
            value,
            unit: unit.to_owned(),
            goal: None,
        }
    }

    /// A figure that was counted, and is the same each time.
    #[must_use]
    pub fn counted(name: impl Into<String>, value: f64, unit: &str) -> Self {
        let value = Spread {
            median: value,
            low: value,
            high: value,
            count: 1,
        };
        Row::new(name, value, unit)
    }

    /// The same with a goal.
    #[must_use]
    pub fn with_goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    fn cells(&self) -> [String; 5] {
        let goal = match self.goal {
            None => String::new(),
            Some(Goal::AtMost(most)) => format!("≤ {}", number(most)),
            Some(Goal::AtLeast(least)) => format!("≥ {}", number(least)),
        };
        let met = match self.goal.map(|goal| goal.is_met(self.value.median)) {
            None => "",
            Some(true) => "met",
            Some(false) => "NOT met",
        };
        let unit = match self.unit.as_str() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let spread = match self.value.count {
            1 => String::new(),
            count => format!("{} … {} ({count})", number(self.value.low), number(self.value.high)),
        };
        [
            self.name.clone(),
            format!("{}{unit}", number(self.value.median)),
            spread,
            goal,
            met.to_owned(),
        ]
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value == value.trunc() {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        let digits = if size > 0.0 {
            (2.0 - size.log10().floor()) as usize
        } else {
            0
        };
        format!("{value:.digits$}")
    }
}

/// What one part of the benchmark found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    /// Its name, for `--only`.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// Its figures.
    pub rows: Vec<Row>,
    /// Everything that the figures come from.
    pub details: Value,
}

impl Section {
    /// A part that found this.
    #[must_use]
    pub fn new(name: &str, title: &str, rows: Vec<Row>, details: Value) -> Self {
        Section {
            name: name.to_owned(),
            title: title.to_owned(),
            rows,
            details,
        }
    }
}

/// Everything that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Of this document's shape.
    pub schema_version: u32,
    /// Whether sizes and counts were the small ones: then the figures mean nothing.
    pub quick: bool,
    /// The profile that functions and workers were built in.
    pub profile: String,
    /// When it was measured, and on what.
    pub machine: Map<String, Value>,
    /// The parts.
    pub sections: Vec<Section>,
}

const HEAD: [&str; 5] = ["figure", "median", "spread (pairs)", "goal", ""];

impl Report {
    /// The table for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            let mut lines = vec![HEAD.map(str::to_owned)];
            lines.extend(section.rows.iter().map(Row::cells));
            let widths: Vec<usize> = (0..HEAD.len())
                .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
                .collect();
            let _ = writeln!(text, "\n{}: {}", section.name, section.title);
            for line in lines {
                let cells: Vec<String> = line
                    .iter()
                    .zip(&widths)
                    .map(|(cell, width)| format!("{cell:<width$}"))
                    .collect();
                let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
            }
        }
        text
    }

    /// The tables of docs/performance.md.
    #[must_use]
    pub fn markdown(&self) -> String {
        // A document that is read with `--page-from` may be older than a field.
        let said = |name: &str| match self.machine.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "unknown".to_owned(),
        };
        let mut text = format!(
            "Measured {} at {} on {} CPUs ({}), {} GiB of memory, load {} at the start; functions in the {} profile{}.\n",
            said("measured_at"),
            said("commit"),
            said("cpus"),
            said("cpu"),
            said("memory_gib"),
            said("load"),
            self.profile,
            if self.quick {
                ", **quick: the figures mean nothing**"
            } else {
                ""
            },
        );
        for section in &self.sections {
            let _ = write!(text, "\n### {}\n\n", section.title);
            let _ = writeln!(text, "| {} |\n|---|---|---|---|---|", HEAD.join(" | "));
            for row in &section.rows {
                let _ = writeln!(text, "| {} |", row.cells().join(" | "));
            }
        }
        text
    }
}

/// Where the tables begin and end on the page.
const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->\n";

/// The page with the tables of this report between its markers; none where the page has no markers.
#[must_use]
pub fn on_page(page: &str, report: &Report) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", report.markdown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let value = Spread {
            median: 0.004_56,
            low: 0.004,
            high: 0.0051,
            count: 6,
        };
        Report {
            schema_version: 1,
            quick: false,
            profile: "release".to_owned(),
            machine: Map::new(),
            sections: vec![Section {
                name: "cost".to_owned(),
                title: "CPU".to_owned(),
                rows: vec![
                    Row::new("ours ÷ theirs", value, "").with_goal(Goal::AtMost(0.01)),
                    Row::counted("requests", 63.0, "requests").with_goal(Goal::AtLeast(64.0)),
                ],
                details: Value::Null,
            }],
        }
    }

    #[test]
    fn a_goal_that_is_missed_says_so() {
        let text = report().table();
        assert!(text.contains("0.00456"), "{text}");
        assert!(
            text.contains("≤ 0.0100") && text.contains("0.00400 … 0.00510 (6)"),
            "{text}"
        );
        assert_eq!(
            (text.matches(" met").count(), text.matches("NOT met").count()),
            (2, 1),
            "{text}"
        );
    }

    #[test]
    fn the_page_keeps_what_stands_outside_the_markers() {
        let page = format!("above\n{BEGIN}old\n{END}below\n");
        let new = on_page(&page, &report()).unwrap();
        assert!(new.starts_with("above\n") && new.ends_with("below\n") && !new.contains("old"));
        assert_eq!(on_page(&new, &report()).unwrap(), new);
        assert!(on_page("no markers", &report()).is_none());
    }

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (0.0, "0"),
            (0.012_34, "0.0123"),
            (1.1, "1.10"),
            (12.34, "12.3"),
            (1234.5, "1234"),
            (63.0, "63"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
