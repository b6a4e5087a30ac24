//! What is computed for a stranger costs no more than its length: eight times the text, eight times the time, and not 64.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

#[path = "worst_texts/linear.rs"]
mod linear;
#[path = "worst_texts/table.rs"]
mod table;

#[test]
fn no_text_of_a_strangers_costs_more_than_its_length() {
    linear::check(table::READERS, table::UNITS);
}

#[test]
#[should_panic(expected = "a reader that looks back")]
fn a_reader_whose_cost_is_the_square_of_a_text_is_found() {
    let looks_back: table::Reader = ("a reader that looks back", |text| {
        let bytes = text.as_bytes();
        let met = (0..bytes.len()).filter(|&at| bytes[..at].iter().step_by(512).all(|&before| before != 0)).count();
        std::hint::black_box(met);
    });
    linear::check(&[looks_back], &["a"]);
}
