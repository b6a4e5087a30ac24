//! What is computed for a stranger costs no more than its length: four times the text, four times the time, and not sixteen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

#[path = "worst_texts/linear.rs"]
mod linear;
#[path = "worst_texts/table.rs"]
mod table;

#[test]
fn no_text_of_a_strangers_costs_more_than_its_length() {
    linear::check(table::READERS, table::UNITS);
}
