//! The HTTP plane: webhooks, media upgrades, probes and the operators' API.
//!
//! A webhook goes limit -> authenticate -> typed -> insert (the unique key decides) -> switchboard -> answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actors::Switchboard;
use metrics_exporter_prometheus::PrometheusHandle;
use protocol::exotel::webhook::Address;
use protocol::ids::Secret;
use url::Url;

use crate::address::Cidr;
use crate::calls::Calls;
use crate::calls::writer::RecordWriter;
use crate::clips::ClipLibrary;
use crate::http::connections::Connection;
use crate::outgoing::{Forbidden, PrivateHosts};
use crate::recordings::RecordingHosts;
use crate::store::{Announced, Store};
use crate::tools::Runner;

mod abuse;
pub mod address;
pub mod audit;
pub mod auth;
pub mod body;
pub mod connections;
pub mod error;
pub mod here;
mod media;
mod openapi;
mod operator;
mod probe;
pub mod public_url;
pub mod request_id;
mod routes;
mod webhook;

use crate::rate::TooMany;
use auth::Authenticator;
use error::Refused;
use routes::wrong_method;

pub use abuse::AbuseLimits;
pub use probe::Readiness;
pub use routes::{Plane, routes, routes_of};

/// What every request is served with. One for all workers.
pub struct Gateway {
    /// What the settings say of requests.
    pub rules: Rules,
    /// The database.
    pub store: Store,
    /// Takes what calls report to the database.
    pub recorder: RecordWriter,
    /// The live calls.
    pub switchboard: Switchboard,
    /// The use cases of calls.
    pub calls: Calls,
    /// What callers hear without a model.
    pub clips: ClipLibrary,
    /// Knows the secrets of the webhooks.
    pub authenticator: Authenticator,
    /// The metrics page.
    pub page: PrometheusHandle,
    /// What probes are told of the database.
    pub readiness: Readiness,
    /// Asks MCP servers what they have.
    pub runner: Arc<Runner>,
    /// Failed authentications by address, and refusals written down.
    pub strangers: AbuseLimits,
}

/// What the settings say of requests.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who may call webhooks and media sockets; empty: anybody.
    pub allowed_ips: Vec<Cidr>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// A webhook is answered within it.
    pub deadline: Duration,
    /// As others reach this gateway.
    pub public: Url,
    /// Whether operators have a listener of their own.
    pub operators_apart: bool,
    /// Where a recording may be.
    pub recording_hosts: RecordingHosts,
    /// What a client may have asked although it is no public host.
    pub private_hosts: PrivateHosts,
    /// Bearer token of `/api`; none: it is off.
    pub admin_token: Option<Secret>,
}

/// Somebody showed who they are: their connection is judged as a stranger's no more.
fn let_in(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Arc<Connection>>() {
        connection.authenticated();
    }
}

impl Gateway {
    /// The address a request came from.
    fn address(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        address::client_address(peer, request.headers(), &self.rules.trusted_proxies)
    }

    /// Whether `ALLOWED_IPS` lets an address call webhooks and media sockets.
    fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        let allowed = &self.rules.allowed_ips;
        if allowed.is_empty() || allowed.iter().any(|block| block.holds(address)) {
            Ok(())
        } else {
            Err(Refused::Address)
        }
    }

    /// Where no secret was shown: refuses what a web page of another origin has a browser send.
    fn check_page(&self, request: &HttpRequest) -> Result<(), Refused> {
        here::check_page(request.headers(), &self.rules.public)
    }

    /// Whether this node takes new calls.
    fn check_room(&self) -> Result<(), Refused> {
        Ok(self.switchboard.check_node()?)
    }

    /// Counts a failed authentication against its address: too many of them, and the answer becomes 429.
    fn guessed_wrong(&self, address: IpAddr, refused: impl Into<Refused>) -> Refused {
        match self.strangers.failed(address) {
            Ok(()) => refused.into(),
            Err(TooMany { retry_after }) => Refused::Guessing { retry_after },
        }
    }

    /// Whether an address that guesses may still be listened to.
    fn may_guess(&self, address: IpAddr) -> Result<(), Refused> {
        self.strangers.may_try(address).map_err(|TooMany { retry_after }| Refused::Guessing { retry_after })
    }

    /// Whether a refusal is written down, or counted only.
    fn is_worth_writing(&self, address: IpAddr, refused: &Refused) -> bool {
        self.strangers.is_worth_writing(address, refused.is_of_stranger(), &self.recorder)
    }

    /// A recording that was told of: one that may be fetched, as far as its address tells, or one that may not.
    fn announced(&self, told: &Address) -> Announced {
        let hosts = &self.rules.recording_hosts;
        let checked = if told.is_cut() { Err(Forbidden::TooLong) } else { hosts.check_text(told.as_str()) };
        match checked {
            Ok(()) => Announced::new(told.as_str()),
            Err(why) => Announced::refused(told.as_str(), format!("the address is not allowed: {why}")),
        }
    }

    /// How long a webhook may take, and anything else that asks the database.
    fn deadline(&self) -> Duration {
        self.rules.deadline
    }
}
