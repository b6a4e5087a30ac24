//! `simulate text-model`.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use simulator::text::{TextFaults, TextOptions, TextServer};

use crate::cli::Failure;
use crate::cli::args::TextModelArgs;

/// Serves until a signal comes.
pub(in crate::cli) async fn serve(args: &TextModelArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let faults = TextFaults::from_flags(&args.faults).map_err(|error| Failure::Usage(error.to_string()))?;
    let options = TextOptions { faults, api_key: args.api_key.clone(), thinks: Duration::from_millis(args.thinks_ms) };
    let addr = SocketAddr::new(args.host, args.port);
    let server = TextServer::bind(addr, options).await.with_context(|| format!("cannot listen on {addr}"))?;
    writeln!(
        screen,
        "The simulated text model listens: OUTCOME_URL=http://{}/v1 PRIVATE_HOSTS={}",
        server.addr(),
        args.host
    )
    .map_err(anyhow::Error::from)?;
    screen.flush().map_err(anyhow::Error::from)?;
    tokio::select! {
        () = server.run() => {}
        () = crate::serve::signals() => {}
    }
    Ok(())
}
