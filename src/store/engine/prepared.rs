//! Statements that are prepared once a connection.
//!
//! Diesel prepares every UPDATE and every upsert anew, since which columns they set may depend on their values. Those whose columns
//! never change need not be: preparing takes SQLite longer than running them, and PostgreSQL another round trip.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A statement whose text is always the same.
pub(in crate::store) struct Prepared<Q>(Q);

/// Lets a statement be prepared once: its text must not depend on its values.
pub(in crate::store) const fn prepared<Q>(statement: Q) -> Prepared<Q> {
    Prepared(statement)
}

impl<Q, DB> QueryFragment<DB> for Prepared<Q>
where
    Q: QueryFragment<DB>,
    DB: Backend,
{
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    // The statement's text is what it is kept by, so a mistake here costs memory and nothing else.
    fn is_safe_to_cache_prepared(&self, _backend: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> diesel::RunQueryDsl<C> for Prepared<Q> {}
