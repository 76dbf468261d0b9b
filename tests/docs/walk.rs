//! The recorded walk, `walk.txt`, which `tests/docs/record` makes by a real run: as a moving picture, and in the README.

use std::fmt::Write as _;
use std::fs;

use crate::{matches_or_update, root};

/// The measures of the picture, in pixels.
const CHARACTER: f64 = 8.0;
const LINE: f64 = 19.0;
const EDGE: f64 = 20.0;
const BAR: f64 = 34.0;
const COLUMNS: f64 = 80.0;
const TOP: f64 = 8.0;
/// The rows that are seen at once. Longer scenes scroll, as a terminal does.
const ROWS: usize = 26;

/// Seconds from a command to its output, from one output line to the next, and at the end of a scene.
const COMMAND: f64 = 1.4;
const OUTPUT: f64 = 0.07;
const REST: f64 = 6.0;

/// A part of the walk: its name and its lines.
struct Section {
    name: String,
    lines: Vec<String>,
}

fn sections() -> Result<Vec<Section>, std::io::Error> {
    let mut sections: Vec<Section> = Vec::new();
    for line in fs::read_to_string(root().join("tests/docs/walk.txt"))?.lines() {
        match (line.strip_prefix("%% "), sections.last_mut()) {
            (Some(name), _) => sections.push(Section {
                name: name.to_owned(),
                lines: Vec::new(),
            }),
            (None, Some(section)) => section.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    Ok(sections)
}

/// A piece of a line in one style.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    classes: Vec<&'static str>,
    text: String,
}

/// Splits a line at its colour codes.
fn pieces(line: &str) -> Vec<Piece> {
    let mut classes: Vec<&'static str> = Vec::new();
    let mut pieces = Vec::new();
    for (at, part) in line.split('\u{1b}').enumerate() {
        let text = match part
            .strip_prefix('[')
            .and_then(|rest| rest.split_once('m'))
            .filter(|_| at > 0)
        {
            Some((code, text)) => {
                match code {
                    "1" => classes.push("b"),
                    "2" => classes.push("d"),
                    "31" => classes.push("r"),
                    "32" => classes.push("g"),
                    _ => classes.clear(),
                }
                text
            }
            None => part,
        };
        if !text.is_empty() {
            pieces.push(Piece {
                classes: classes.clone(),
                text: text.to_owned(),
            });
        }
    }
    pieces
}

fn plain(line: &str) -> String {
    pieces(line).into_iter().map(|piece| piece.text).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Whether a line is a part of a command: it begins one, or goes on with one.
fn commands(lines: &[String]) -> Vec<bool> {
    let (mut quoted, mut continued) = (false, false);
    lines
        .iter()
        .map(|line| {
            let is_command = line.starts_with("$ ") || quoted || continued;
            if is_command {
                quoted ^= line.matches('\'').count() % 2 == 1;
            }
            continued = is_command && line.ends_with('\\');
            is_command
        })
        .collect()
}

/// The moving picture: one scene for each of the first two sections. A cover over the lines moves down and shows one after
/// the other. Whoever wants no motion sees the last scene, whole.
fn picture(sections: &[Section]) -> String {
    let scenes = &sections[..2];
    let (width, height) = (EDGE * 2.0 + CHARACTER * COLUMNS, BAR + TOP * 2.0 + LINE * ROWS as f64);
    let moments: Vec<Vec<f64>> = scenes.iter().map(|scene| moments(&scene.lines)).collect();
    let lengths: Vec<f64> = moments
        .iter()
        .map(|moments| moments.last().copied().unwrap_or_default() + REST)
        .collect();
    let total: f64 = lengths.iter().sum();
    let (mut style, mut body, mut began) = (String::new(), String::new(), 0.0);
    for (number, scene) in scenes.iter().enumerate() {
        let percent = |seconds: f64| seconds / total * 100.0;
        let ended = began + lengths[number];
        let _ = write!(style, "@keyframes c{number}{{0%{{transform:translateY(0)}}");
        for (row, moment) in moments[number].iter().enumerate() {
            let _ = write!(
                style,
                "{:.2}%{{transform:translateY({}px)}}",
                percent(began + moment),
                LINE * (row + 1) as f64
            );
        }
        let _ = write!(style, "}}\n@keyframes m{number}{{0%{{transform:translateY(0)}}");
        for (row, moment) in moments[number].iter().enumerate().skip(ROWS) {
            let above = LINE * (row + 1 - ROWS) as f64;
            let _ = write!(
                style,
                "{:.2}%{{transform:translateY(-{above}px)}}",
                percent(began + moment)
            );
        }
        style.push_str("}\n");
        let _ = writeln!(
            style,
            "@keyframes s{number}{{0%{{opacity:{}}}{:.2}%{{opacity:1}}{:.2}%{{opacity:0}}100%{{opacity:0}}}}",
            u8::from(number == 0),
            percent(began),
            percent(ended).min(99.99)
        );
        let _ = writeln!(
            style,
            ".s{number}{{animation:s{number} {total:.1}s step-end infinite}}.c{number}{{animation:c{number} {total:.1}s step-end infinite}}\
             .m{number}{{animation:m{number} {total:.1}s step-end infinite}}"
        );
        let _ = writeln!(body, "<g class=\"s{number}\"><g class=\"m{number}\">");
        for ((row, line), is_command) in scene.lines.iter().enumerate().zip(commands(&scene.lines)) {
            body.push_str(&text(row, line, is_command));
        }
        let _ = writeln!(
            body,
            "<rect class=\"c{number}\" x=\"1\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#11151b\"/>\n</g></g>",
            BAR + TOP,
            width - 2.0,
            LINE * scene.lines.len() as f64 + EDGE
        );
        began = ended;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"A terminal: a run is held, its registry is mended, and the run is resumed and pinned\">\n<style>\n\
         text{{font:13.2px ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace;white-space:pre;\
         fill:#d5dbe3}}\n.b{{font-weight:700}}.d{{fill:#8a94a1}}.r{{fill:#ff8f96}}.g{{fill:#74d6a0}}.k{{fill:#fff;font-weight:600}}.p{{fill:#8ab8ff}}\n\
         {style}@media (prefers-reduced-motion:reduce){{g,rect{{animation:none!important}}.s0,.c0,.c1{{opacity:0}}}}\n</style>\n\
         <clipPath id=\"w\"><rect width=\"{width}\" height=\"{height}\" rx=\"9\"/></clipPath>\n<g clip-path=\"url(#w)\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#11151b\"/>\n{body}<rect width=\"{width}\" height=\"{}\" fill=\"#11151b\"/><rect width=\"{width}\" height=\"{BAR}\" fill=\"#1c222b\"/>\n\
         <circle cx=\"20\" cy=\"17\" r=\"5.5\" fill=\"#ff5f57\"/><circle cx=\"39\" cy=\"17\" r=\"5.5\" fill=\"#febc2e\"/>\
         <circle cx=\"58\" cy=\"17\" r=\"5.5\" fill=\"#28c840\"/>\n</g>\n</svg>\n",
        BAR + TOP
    )
}

/// When each line of a scene appears, in seconds.
fn moments(lines: &[String]) -> Vec<f64> {
    let commands = commands(lines);
    let mut now = 0.4;
    let mut moments = Vec::new();
    for (at, is_command) in commands.iter().enumerate() {
        let starts = *is_command && lines[at].starts_with("$ ");
        now += match (starts, at > 0 && commands[at - 1] && !is_command) {
            (true, _) | (_, true) => COMMAND,
            _ => OUTPUT,
        };
        if at == ROWS {
            now += REST;
        }
        moments.push(now);
    }
    moments
}

/// One line. `textLength` keeps the columns, whatever font there is.
fn text(row: usize, line: &str, is_command: bool) -> String {
    let y = BAR + TOP + LINE * (row as f64 + 1.0) - 4.0;
    let mut x = EDGE;
    let mut text = String::new();
    for piece in pieces(line) {
        let skipped = piece.text.chars().take_while(|c| *c == ' ').count() as f64;
        let shown = piece.text.trim();
        if !shown.is_empty() {
            let class = if is_command {
                "k".to_owned()
            } else {
                piece.classes.join(" ")
            };
            let length = shown.chars().count() as f64 * CHARACTER;
            let _ = writeln!(
                text,
                "<text x=\"{}\" y=\"{y}\" textLength=\"{length}\" class=\"{class}\">{}</text>",
                x + skipped * CHARACTER,
                escaped(shown)
            );
        }
        x += piece.text.chars().count() as f64 * CHARACTER;
    }
    text
}

#[test]
fn the_picture_is_made_of_the_recorded_walk() -> Result<(), std::io::Error> {
    matches_or_update("docs/images/walk.svg", &picture(&sections()?))
}

#[test]
fn the_readme_shows_the_recorded_walk() -> Result<(), std::io::Error> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let mut expected = readme.clone();
    for section in sections()? {
        let mark = format!("<!-- walk {} -->\n```\n", section.name);
        let (before, rest) = expected
            .split_once(&mark)
            .unwrap_or_else(|| panic!("README.md has no {mark}"));
        let (_, after) = rest
            .split_once("```\n")
            .unwrap_or_else(|| panic!("{mark} does not end"));
        let lines: Vec<String> = section.lines.iter().map(|line| plain(line)).collect();
        expected = format!("{before}{mark}{}\n```\n{after}", lines.join("\n").trim_end());
    }
    matches_or_update("README.md", &expected)
}

#[test]
fn the_walk_fits_80_columns_and_ends_pinned() -> Result<(), std::io::Error> {
    let sections = sections()?;
    for line in sections.iter().flat_map(|section| &section.lines) {
        assert!(plain(line).chars().count() <= 80, "{line}");
    }
    let says = |at: usize, text: &str| sections[at].lines.iter().any(|line| plain(line).starts_with(text));
    assert!(says(0, "HOLD_M3") && says(1, "ADVANCE_TO_M4") && says(2, "PINNED"));
    Ok(())
}
