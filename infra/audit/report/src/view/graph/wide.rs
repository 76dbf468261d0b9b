//! The horizontal drawing: one row, for pages wider than about 900 pixels.

use maud::{Markup, html};
use p1_contract::step::Step;

use super::{Gate, described, diverted, end, first, gate, passes, place, ran, short};
use crate::model::{Execution, Node};
use crate::view::parts::{Mark, mark};

const LEFT: i32 = 56;
const PITCH: i32 = 106;
const WIDTH: i32 = 74;
const HEIGHT: i32 = 46;
/// The top of the boxes.
const TOP: i32 = 86;
/// The vertical position of the paths above the boxes.
const RAIL: i32 = 34;
const MIDDLE: i32 = TOP + HEIGHT / 2;
const GATE: i32 = 9;

fn left(place: usize) -> i32 {
    LEFT + PITCH * i32::try_from(place).unwrap_or(0)
}

fn centre(place: usize) -> i32 {
    left(place) + WIDTH / 2
}

fn gate_at(place: usize) -> i32 {
    left(place) + WIDTH + (PITCH - WIDTH) / 2
}

pub(super) fn drawing(execution: &Execution) -> Markup {
    let id = format!("across-{}", execution.number);
    let rollup = place(Step::GateRollup);
    let begins = first(execution).map(|node| place(node.step));
    html! {
        svg.graph role="img" viewBox="0 0 1212 196" aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-desc" } {
            (described(execution, &id))
            // The path that a closed gate leads to.
            @if let Some(begins) = begins {
                @for gate in begins..rollup { path.way.unused d=(up_to_rail(gate_at(gate))) {} }
                @if begins < rollup {
                    path.way.unused d={ "M" (gate_at(begins)) " " (RAIL) "H" (centre(rollup)) "V" (TOP - 2) } {}
                    text.note x=(centre(rollup) - 8) y=(RAIL - 8) text-anchor="end" { "a closed gate goes to the rollup" }
                }
            }
            (entry(execution, begins))
            @for node in &execution.nodes { (onward(execution, node)) }
            @if let Some(held) = diverted(execution) {
                path.way.diverted d={ "M" (gate_at(held)) " " (MIDDLE - GATE) "V" (RAIL) "H" (centre(rollup)) "V" (TOP - 7) } {}
                (arrow_down(centre(rollup), TOP - 1, "diverted"))
            }
            @for node in &execution.nodes { (step(node)) (gate_drawn(execution, node)) }
            (ending(execution))
        }
    }
}

fn up_to_rail(x: i32) -> String {
    format!("M{x} {}V{RAIL}", MIDDLE - GATE)
}

fn entry(execution: &Execution, begins: Option<usize>) -> Markup {
    let taken = |taken: bool| if taken { "way taken" } else { "way unused" };
    match &execution.admission {
        None => html! {
            circle.start cx="24" cy=(MIDDLE) r="8" {}
            text.caption x="24" y=(MIDDLE + 26) text-anchor="middle" { "start" }
            path class=(taken(begins == Some(0))) d={ "M32 " (MIDDLE) "H" (LEFT - 7) } {}
            @if begins == Some(0) { (arrow_right(LEFT - 1, MIDDLE, "taken")) }
        },
        Some(admission) => {
            let mark = if admission.admitted { Mark::Pass } else { Mark::Held };
            html! {
                circle.start cx="24" cy=(RAIL) r="8" {}
                text.caption x="24" y=(RAIL + 26) text-anchor="middle" { "rerun" }
                path.way.taken d={ "M32 " (RAIL) "H" (LEFT - 7) } {}
                (arrow_right(LEFT - 1, RAIL, "taken"))
                g class={ "node " (mark.class()) } {
                    rect.box x=(LEFT) y=(RAIL - 17) width="134" height="34" rx="6" {}
                    (mark.drawn(LEFT + 10, RAIL - 8, 16))
                    text.id x=(LEFT + 33) y=(RAIL + 5) { "Admit rerun" }
                }
                @if let Some(begins) = begins {
                    path.way.taken d={ "M" (LEFT + 134) " " (RAIL) "H" (centre(begins)) "V" (TOP - 7) } {}
                    (arrow_down(centre(begins), TOP - 1, "taken"))
                }
            }
        }
    }
}

/// The path from a step through its gate to the next box.
fn onward(execution: &Execution, node: &Node) -> Markup {
    let at = place(node.step);
    let (from, to) = (left(at) + WIDTH, left(at + 1));
    let passes = passes(node, execution);
    html! {
        @if ran(node) && node.step != Step::GateRollup {
            path.way.taken d={ "M" (from) " " (MIDDLE) "H" (gate_at(at) - GATE) } {}
        }
        path class=(if passes { "way taken" } else { "way unused" }) d={ "M" (from) " " (MIDDLE) "H" (to - 7) } {}
        @if passes { (arrow_right(to - 1, MIDDLE, "taken")) }
    }
}

fn step(node: &Node) -> Markup {
    let at = place(node.step);
    let mark = mark(node.outcome);
    let title = node.step.title();
    let (first, second) = title.split_once(' ').unwrap_or((title, ""));
    html! {
        g class={ "node " (mark.class()) } {
            rect.box x=(left(at)) y=(TOP) width=(WIDTH) height=(HEIGHT) rx="6" {}
            (mark.drawn(left(at) + 7, MIDDLE - 8, 16))
            text.id x=(left(at) + 29) y=(MIDDLE + 5) { (node.step.id()) }
            text.caption x=(centre(at)) y=(TOP + HEIGHT + 18) text-anchor="middle" { (first) }
            text.caption x=(centre(at)) y=(TOP + HEIGHT + 32) text-anchor="middle" { (second) }
            text.word x=(centre(at)) y=(TOP + HEIGHT + 52) text-anchor="middle" { (short(node)) }
        }
    }
}

fn gate_drawn(execution: &Execution, node: &Node) -> Markup {
    if node.step == Step::GateRollup {
        return html! {};
    }
    diamond(gate_at(place(node.step)), MIDDLE, gate(node, execution))
}

/// A gate: a tick if it is open, a bar if it is closed, nothing if the execution did not reach it.
pub(super) fn diamond(x: i32, y: i32, gate: Gate) -> Markup {
    let (class, sign) = match gate {
        Gate::Open => ("gate open", format!("M{} {}l2.6 2.6l4.6 -5.2", x - 4, y)),
        Gate::Closed => ("gate closed", format!("M{} {}h8", x - 4, y)),
        Gate::Unused => ("gate unused", String::new()),
    };
    html! {
        g class=(class) {
            path.outline d={ "M" (x) " " (y - GATE) "l" (GATE) " " (GATE) "l-" (GATE) " " (GATE) "l-" (GATE) " -" (GATE) "z" } {}
            @if !sign.is_empty() { path.sign d=(sign) {} }
        }
    }
}

fn ending(execution: &Execution) -> Markup {
    let (word, detail, mark) = end(execution.ending);
    let x = left(10);
    html! {
        g class={ "node end " (mark.class()) } {
            rect.box x=(x) y=(TOP) width="92" height=(HEIGHT) rx=(if mark == Mark::Pass { "23" } else { "2" }) {}
            @if mark == Mark::Held { rect.inner x=(x + 4) y=(TOP + 4) width="84" height=(HEIGHT - 8) rx="1" {} }
            text.id x=(x + 46) y=(MIDDLE - 1) text-anchor="middle" { (word) }
            text.caption x=(x + 46) y=(MIDDLE + 14) text-anchor="middle" { (detail) }
        }
    }
}

pub(super) fn arrow_right(x: i32, y: i32, class: &str) -> Markup {
    html! { path class={ "head " (class) } d={ "M" (x) " " (y) "l-7 -4v8z" } {} }
}

pub(super) fn arrow_down(x: i32, y: i32, class: &str) -> Markup {
    html! { path class={ "head " (class) } d={ "M" (x) " " (y) "l-4 -7h8z" } {} }
}

pub(super) fn arrow_left(x: i32, y: i32, class: &str) -> Markup {
    html! { path class={ "head " (class) } d={ "M" (x) " " (y) "l7 -4v8z" } {} }
}
