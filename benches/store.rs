//! Finding the client of a number, among 10 and among 1,000,000, on both databases: one lookup as a call-start does it, the hop to the
//! store's threads and back included.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a bench that cannot be set up must stop"
)]

use std::hint::black_box;

use callgate::testing::Store;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use protocol::ids::PhoneNumber;
use tokio::runtime::Runtime;

#[path = "../tests/support/database.rs"]
mod database;

use database::{Database, Kind, Postgres, Sqlite};

/// The same statement on both, so that a million rows take seconds.
fn fill(database: &Database, clients: u64) {
    let statements = format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {clients} - 1) \
         INSERT INTO clients (name, exotel_number, greeting, language, instructions, created_at, updated_at) \
         SELECT 'Clinic ' || i, '+91' || (8000000000 + i), 'Hello', 'en-IN', 'Be brief.', '2026-11-22 00:00:00', '2026-11-22 00:00:00' \
         FROM n; ANALYZE;"
    );
    database.execute(&statements).expect("the clients");
}

fn lookup<K: Kind>(criterion: &mut Criterion, name: &str) {
    // Whether it runs is all that `cargo test` asks.
    let measured = std::env::args().any(|arg| arg == "--bench") && !std::env::args().any(|arg| arg == "--test");
    let many = if measured { 1_000_000 } else { 1000 };
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group(format!("the client of a number, {name}"));
    for clients in [10, many] {
        let database = K::database();
        let store = runtime.block_on(Store::open(&database.url.parse().expect("a URL"))).expect("the store");
        fill(&database, clients);
        let mut asked = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(clients), |bench| {
            bench.iter(|| {
                // Never the same row twice in a row, nor its neighbour.
                asked = asked.wrapping_add(7919);
                let number = PhoneNumber::new(format!("+91{}", 8_000_000_000 + asked % clients));
                runtime.block_on(store.client_by_number(black_box(&number))).expect("an answer").expect("a client")
            });
        });
    }
    group.finish();
}

fn stores(criterion: &mut Criterion) {
    lookup::<Sqlite>(criterion, "SQLite");
    lookup::<Postgres>(criterion, "PostgreSQL");
}

criterion_group!(benches, stores);
criterion_main!(benches);
