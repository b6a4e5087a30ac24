//! What the service reads of a stranger's request costs no more than its length. (What `protocol` reads has its own test.)

#[test]
fn no_header_and_no_body_of_a_strangers_costs_more_than_its_length() {
    super::linear::check(super::worst_readers::READERS, super::table::UNITS);
}
