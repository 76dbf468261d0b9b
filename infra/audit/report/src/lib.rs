//! `cargo p1 report`: one self-contained page about an evidence directory.
//!
//! Two halves: [`model`] makes plain data of the directory, as `verify` read it and with what `verify` found; [`view`] makes
//! HTML of that data. Nobody trusts the directory: the page is made whatever its standing is, and everything that it shows
//! went through [`text::Text`] or a type of the contract. The same directory gives the same bytes.

mod model;
mod text;
mod view;

use p1_audit::EvidenceSet;
use p1_audit::verify::Report;

/// The page, as the bytes of one HTML file.
#[must_use]
pub fn page(set: &EvidenceSet, report: &Report) -> String {
    view::page(&model::Model::of(set, report))
}
