//! Signs of life.

use diesel::sql_query;

use super::{Conn, RunQueryDsl};
use crate::store::StoreError;

pub(in crate::store) async fn ping(conn: &mut Conn) -> Result<(), StoreError> {
    sql_query("SELECT 1 FROM clients WHERE FALSE").execute(conn).await?;
    Ok(())
}
