//! Requests that ask for a WebSocket: the same routes answer them, and a socket that they let in gets its connection.

use std::io;

use actix_codec::{Encoder, Framed, FramedParts};
use actix_http::body::{BodySize, BoxBody, to_bytes};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::MediaSocket;

/// Writes what the routes answered to such a request. Then a socket that they let in is carried until it ends; the connection of any other
/// is closed, since whatever came behind the request is no HTTP.
///
/// # Errors
/// The connection's.
pub async fn answer_upgrade<S>(mut response: Response<BoxBody>, connection: Framed<S, Codec>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let FramedParts { mut io, mut codec, read_buf, write_buf: mut bytes, .. } = connection.into_parts();
    let let_in = response.extensions_mut().remove::<MediaSocket>();
    let (mut head, body) = response.into_parts();
    if let Some(socket) = let_in {
        codec.encode(Message::Item((head, BodySize::None)), &mut bytes)?;
        socket.serve(io, read_buf.freeze(), bytes).await;
        return Ok(());
    }
    let body = to_bytes(body).await.map_err(|error| io::Error::other(error.to_string()))?;
    head.head_mut().set_connection_type(ConnectionType::Close);
    codec.encode(Message::Item((head, BodySize::Sized(body.len() as u64))), &mut bytes)?;
    codec.encode(Message::Chunk(Some(body)), &mut bytes)?;
    io.write_all(&bytes).await?;
    io.shutdown().await
}
