//! `cargo p1 report`: one self-contained page about an evidence directory.
//!
//! There are two halves. [`model`] turns the directory and the findings of `verify` into plain data; [`view`] turns that data
//! into HTML. The directory is not trusted. The page is made whatever `verify` says, and everything on it is [`text::Text`] or a
//! type of the contract. The same directory gives the same bytes.

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
