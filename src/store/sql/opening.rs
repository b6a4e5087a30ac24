//! Beginning a call, from the number that was dialled.

use diesel::prelude::*;
use protocol::ids::{CallSid, PhoneNumber};

use super::{Conn, RunQueryDsl, clients, outbox};
use crate::store::StoreError;
use crate::store::opening::{Judge, Opening};
use crate::store::schema::calls::dsl;

pub(in crate::store) async fn open<E: Send>(
    conn: &mut Conn,
    lines: &[PhoneNumber],
    call: &CallSid,
    judge: &Judge<E>,
) -> Result<Opening<E>, StoreError> {
    let Some(client) = clients::by_lines(conn, lines).await? else { return Ok(None) };
    let mut judged = client.active.then(|| judge(&client, false));
    if !matches!(judged, Some(Ok(_))) && has_begun(conn, call, client.id).await? {
        judged = Some(judge(&client, true));
    }
    let new = match judged {
        Some(Ok(new)) => new,
        Some(Err(refused)) => return Ok(Some(Err(refused))),
        None => return Ok(None),
    };
    let begun = outbox::begin(conn, &new).await?;
    let row = begun.call();
    let client = match row.client_id.filter(|owner| *owner != client.id) {
        Some(owner) => clients::by_id(conn, owner).await?,
        None => Some(client),
    };
    Ok(client.map(|client| Ok((client, begun))))
}

async fn has_begun(conn: &mut Conn, call: &CallSid, client: i64) -> Result<bool, StoreError> {
    let begun = dsl::calls.filter(dsl::call_sid.eq(call.as_str())).filter(dsl::client_id.eq(client));
    let begun = begun.filter(dsl::entry.is_not_null()).select(dsl::id);
    Ok(begun.get_result::<i64>(conn).await.optional()?.is_some())
}
