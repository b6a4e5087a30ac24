//! Diesel's synchronous calls in the shape of the asynchronous ones, so that each query is written once for both databases.

use std::future::{Future, Ready, ready};

use diesel::dsl::Limit;
use diesel::query_dsl::LoadQuery;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl};
use diesel::{QueryResult, SqliteConnection};
use futures_util::FutureExt as _;

use super::away;
use crate::store::StoreError;

/// What `diesel_async::RunQueryDsl` is to PostgreSQL. The futures are ready when they are made.
pub(in crate::store) trait RunQueryDsl: diesel::RunQueryDsl<SqliteConnection> {
    fn execute(self, conn: &mut SqliteConnection) -> Ready<QueryResult<usize>>
    where
        Self: ExecuteDsl<SqliteConnection>,
    {
        ready(diesel::RunQueryDsl::execute(self, conn))
    }

    fn load<'query, U>(self, conn: &mut SqliteConnection) -> Ready<QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::load(self, conn))
    }

    fn get_result<'query, U>(self, conn: &mut SqliteConnection) -> Ready<QueryResult<U>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::get_result(self, conn))
    }

    fn first<'query, U>(self, conn: &mut SqliteConnection) -> Ready<QueryResult<U>>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::first(self, conn))
    }
}

impl<T: diesel::RunQueryDsl<SqliteConnection>> RunQueryDsl for T {}

/// The outcome of a query made of such futures: it waits for nothing.
pub(in crate::store) fn now<T>(query: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    query.now_or_never().unwrap_or_else(|| Err(away("a query waited for something else than the database")))
}
