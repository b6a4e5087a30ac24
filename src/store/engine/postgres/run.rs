//! Diesel's asynchronous calls with their futures in boxes.
//!
//! diesel-async answers with types that name the whole query, which the compiler then judges again at every step of every function
//! that awaits one: the most of this crate's compile time, until it was boxed here. The box is nothing beside the way to the server.

use diesel::QueryResult;
use diesel::dsl::Limit;
use diesel::query_dsl::methods::LimitDsl;
use diesel_async::RunQueryDsl as Inner;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::PgConn;

/// What `diesel_async::RunQueryDsl` has, in boxes.
pub(in crate::store) trait RunQueryDsl: Inner<PgConn> + Sized {
    fn execute<'a>(self, conn: &'a mut PgConn) -> BoxFuture<'a, QueryResult<usize>>
    where
        Self: ExecuteDsl<PgConn> + 'a,
    {
        Inner::execute(self, conn).boxed()
    }

    fn load<'a, U>(self, conn: &'a mut PgConn) -> BoxFuture<'a, QueryResult<Vec<U>>>
    where
        U: Send + 'a,
        Self: LoadQuery<'a, PgConn, U> + 'a,
    {
        Inner::load(self, conn).boxed()
    }

    fn get_result<'a, U>(self, conn: &'a mut PgConn) -> BoxFuture<'a, QueryResult<U>>
    where
        U: Send + 'a,
        Self: LoadQuery<'a, PgConn, U> + 'a,
    {
        Inner::get_result(self, conn).boxed()
    }

    fn first<'a, U>(self, conn: &'a mut PgConn) -> BoxFuture<'a, QueryResult<U>>
    where
        U: Send + 'a,
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'a, PgConn, U> + Send + 'a,
    {
        Inner::first(self, conn).boxed()
    }
}

impl<T: Inner<PgConn>> RunQueryDsl for T {}
