//! Signs of life.

use diesel_async::SimpleAsyncConnection;

use super::Conn;
use crate::store::StoreError;

pub(in crate::store) async fn ping(conn: &mut Conn) -> Result<(), StoreError> {
    Ok(conn.batch_execute("SELECT 1 FROM clients WHERE FALSE").await?)
}
