//! The vertical drawing: one column, for phones and paper.

use maud::{Markup, html};
use p1_contract::step::Step;

use super::wide::{arrow_down, arrow_left, arrow_right, diamond};
use super::{Gate, described, diverted, end, first, gate, passes, place, ran, short};
use crate::model::{Execution, Node};
use crate::view::parts::{Mark, mark};

const LEFT: i32 = 38;
const WIDTH: i32 = 246;
const HEIGHT: i32 = 44;
const PITCH: i32 = 76;
/// The top of the first step's box. The entry is above it.
const TOP: i32 = 74;
/// The horizontal position of the gates.
const MIDDLE: i32 = LEFT + 36;
/// The horizontal position of the path that a closed gate leads to.
const RAIL: i32 = LEFT + WIDTH + 24;
/// The horizontal position of a rerun's path.
const ENTRY: i32 = 14;
const GATE: i32 = 9;

fn top(place: usize) -> i32 {
    TOP + PITCH * i32::try_from(place).unwrap_or(0)
}

fn gate_at(place: usize) -> i32 {
    top(place) + HEIGHT + (PITCH - HEIGHT) / 2
}

fn centre(place: usize) -> i32 {
    top(place) + HEIGHT / 2
}

pub(super) fn drawing(execution: &Execution) -> Markup {
    let id = format!("down-{}", execution.number);
    let rollup = place(Step::GateRollup);
    let begins = first(execution).map(|node| place(node.step));
    html! {
        svg.graph role="img" viewBox={ "0 0 320 " (top(10) + HEIGHT + 8) } aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-desc" } {
            (described(execution, &id))
            @if let Some(begins) = begins.filter(|begins| *begins < rollup) {
                @for gate in begins..rollup { path.way.unused d={ "M" (MIDDLE + GATE) " " (gate_at(gate)) "H" (RAIL) } {} }
                path.way.unused d={ "M" (RAIL) " " (gate_at(begins)) "V" (centre(rollup)) "H" (LEFT + WIDTH + 2) } {}
            }
            (entry(execution, begins))
            @for node in &execution.nodes { (onward(execution, node)) }
            @if let Some(held) = diverted(execution) {
                path.way.diverted d={ "M" (MIDDLE + GATE) " " (gate_at(held)) "H" (RAIL) "V" (centre(rollup)) "H" (LEFT + WIDTH + 7) } {}
                (arrow_left(LEFT + WIDTH + 1, centre(rollup), "diverted"))
            }
            @for node in &execution.nodes { (step(node)) (gate_drawn(execution, node)) }
            (ending(execution))
        }
    }
}

fn entry(execution: &Execution, begins: Option<usize>) -> Markup {
    match &execution.admission {
        None => html! {
            circle.start cx=(MIDDLE) cy="28" r="8" {}
            text.caption x=(MIDDLE + 18) y="32" { "start" }
            path class=(if begins == Some(0) { "way taken" } else { "way unused" }) d={ "M" (MIDDLE) " 36V" (TOP - 7) } {}
            @if begins == Some(0) { (arrow_down(MIDDLE, TOP - 1, "taken")) }
        },
        Some(admission) => {
            let mark = if admission.admitted { Mark::Pass } else { Mark::Held };
            html! {
                circle.start cx=(ENTRY) cy="24" r="8" {}
                path.way.taken d={ "M" (ENTRY + 8) " 24H" (LEFT - 7) } {}
                (arrow_right(LEFT - 1, 24, "taken"))
                g class={ "node " (mark.class()) } {
                    rect.box x=(LEFT) y="6" width=(WIDTH) height="36" rx="6" {}
                    (mark.drawn(LEFT + 12, 16, 16))
                    text.id x=(LEFT + 40) y="29" { "Admit rerun" }
                }
                @if let Some(begins) = begins {
                    path.way.taken d={ "M" (LEFT + 10) " 42V52H" (ENTRY) "V" (centre(begins)) "H" (LEFT - 7) } {}
                    (arrow_right(LEFT - 1, centre(begins), "taken"))
                }
            }
        }
    }
}

fn onward(execution: &Execution, node: &Node) -> Markup {
    let at = place(node.step);
    let (from, to) = (top(at) + HEIGHT, top(at + 1));
    let passes = passes(node, execution);
    html! {
        @if ran(node) && node.step != Step::GateRollup {
            path.way.taken d={ "M" (MIDDLE) " " (from) "V" (gate_at(at) - GATE) } {}
        }
        path class=(if passes { "way taken" } else { "way unused" }) d={ "M" (MIDDLE) " " (from) "V" (to - 7) } {}
        @if passes { (arrow_down(MIDDLE, to - 1, "taken")) }
    }
}

fn step(node: &Node) -> Markup {
    let y = top(place(node.step));
    let mark = mark(node.outcome);
    html! {
        g class={ "node " (mark.class()) } {
            rect.box x=(LEFT) y=(y) width=(WIDTH) height=(HEIGHT) rx="6" {}
            (mark.drawn(LEFT + 12, y + 14, 16))
            text.id x=(LEFT + 40) y=(y + 19) { (node.step.id()) tspan.caption { " " (node.step.title()) } }
            text.word x=(LEFT + 40) y=(y + 35) { (short(node)) }
        }
    }
}

fn gate_drawn(execution: &Execution, node: &Node) -> Markup {
    if node.step == Step::GateRollup {
        return html! {};
    }
    let gate = gate(node, execution);
    html! {
        (diamond(MIDDLE, gate_at(place(node.step)), gate))
        @if gate == Gate::Closed && node.step != Step::PhaseVerdict {
            text.note x=(MIDDLE + 18) y=(gate_at(place(node.step)) - 6) { "gate closed" }
        }
    }
}

fn ending(execution: &Execution) -> Markup {
    let (word, detail, mark) = end(execution.ending);
    let y = top(10);
    html! {
        g class={ "node end " (mark.class()) } {
            rect.box x=(LEFT) y=(y) width=(WIDTH) height=(HEIGHT) rx=(if mark == Mark::Pass { "22" } else { "2" }) {}
            @if mark == Mark::Held { rect.inner x=(LEFT + 4) y=(y + 4) width=(WIDTH - 8) height=(HEIGHT - 8) rx="1" {} }
            text.id x=(LEFT + 40) y=(y + 19) { (word) }
            text.caption x=(LEFT + 40) y=(y + 35) { (detail) }
        }
    }
}
