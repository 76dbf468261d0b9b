//! A platform in memory on which M3.H passes; each test changes one thing of it.

mod day;
mod evaluation;
mod explorer;
mod fixture;
mod harness;
