//! `PRIVATE_HOSTS`, and what a URL may name without it.

use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use super::address::{is_odd, is_public};
use crate::address::Cidr;

/// Longer URLs are nobody's.
pub const LONGEST_URL: usize = 2048;

/// Names that no public name server knows: those of this machine, of a local network, of a cloud's inside.
const INNER: [&str; 6] = ["localhost", "local", "internal", "localdomain", "home.arpa", "lan"];

/// `PRIVATE_HOSTS`, checked: what may be asked although its address is private, over plain http too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateHosts {
    named: Vec<Named>,
    blocks: Vec<Cidr>,
}

/// A host as it stands in URLs: a name, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    /// Lower case; an address without brackets.
    host: String,
    port: Option<u16>,
}

/// Why a URL is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL with a host.
    #[error("it is no URL")]
    NoUrl,
    /// Longer than [`LONGEST_URL`].
    #[error("it is longer than {LONGEST_URL} bytes")]
    TooLong,
    /// Plain http, to a host that is not listed.
    #[error("it is not https (plain http is for hosts that PRIVATE_HOSTS lists)")]
    NotHttps,
    /// It names a user.
    #[error("it carries credentials of its own")]
    Credentials,
    /// None of the hosts.
    #[error("its host is none of RECORDING_HOSTS")]
    Host,
    /// One of the hosts, and not below the path that is listed with it.
    #[error("its path is not below the one that RECORDING_HOSTS lists for its host")]
    Path,
    /// The address is one of a network that nobody outside should reach.
    #[error("its host has a private address (PRIVATE_HOSTS lists those that may be asked)")]
    Private,
}

/// By which rule a URL may be asked: it says which addresses its name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Over https: public addresses, and those of the listed blocks.
    Public,
    /// Over http: those of the listed blocks alone.
    Blocks,
    /// A host that is listed by name: wherever it is.
    Named,
}

impl FromStr for PrivateHosts {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let mut hosts = Self::default();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if word.contains('/') {
                hosts.blocks.push(word.parse::<Cidr>().map_err(|error| error.to_string())?);
                continue;
            }
            let address = word.parse::<IpAddr>().ok().map(|address| (address.to_canonical().to_string(), None));
            let (host, port) = address.or_else(|| host_and_port(word)).ok_or_else(|| {
                format!("`{word}` is no host: give host, host:port or a CIDR block such as 10.0.0.0/8, comma-separated")
            })?;
            hosts.named.push(Named { host, port });
        }
        Ok(hosts)
    }
}

impl PrivateHosts {
    /// Lists one more.
    pub(crate) fn add(&mut self, host: String, port: Option<u16>) {
        self.named.push(Named { host, port });
    }

    /// With those of another list.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.named.extend_from_slice(&others.named);
        self.blocks.extend_from_slice(&others.blocks);
    }

    /// Whether a host is listed by its own name, not only as one of a network.
    pub(crate) fn names(&self, host: &Host<&str>, port: u16) -> bool {
        let name = bare(host);
        self.named.iter().any(|named| named.host == name && named.port.is_none_or(|own| own == port))
    }

    /// Whether a URL may be asked, as far as it tells itself: the addresses of a name are looked at when they are connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        self.way(url).map(drop)
    }

    /// The same, and by which rule.
    pub(super) fn way(&self, url: &Url) -> Result<Way, Forbidden> {
        let host = url.host().ok_or(Forbidden::NoUrl)?;
        if url.as_str().len() > LONGEST_URL {
            return Err(Forbidden::TooLong);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::Credentials);
        }
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(Forbidden::NotHttps),
        };
        let port = url.port_or_known_default().ok_or(Forbidden::NotHttps)?;
        if self.names(&host, port) {
            return Ok(Way::Named);
        }
        let address = match host {
            Host::Domain(name) => {
                return match (plain, self.blocks.is_empty()) {
                    (true, true) => Err(Forbidden::NotHttps),
                    (true, false) => Ok(Way::Blocks),
                    (false, true) if is_inner(name) => Err(Forbidden::Private),
                    (false, _) => Ok(Way::Public),
                };
            }
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
        };
        match plain {
            _ if self.holds(address) => Ok(Way::Blocks),
            true => Err(Forbidden::NotHttps),
            false if is_public(address) => Ok(Way::Public),
            false => Err(Forbidden::Private),
        }
    }

    /// Whether a name that is asked that way may stand for an address.
    pub(super) fn may_reach(&self, way: Way, name: &str, address: IpAddr) -> bool {
        match way {
            _ if self.holds(address) => true,
            Way::Public => is_public(address),
            Way::Blocks => false,
            Way::Named if rooted(name).eq_ignore_ascii_case("localhost") => address.to_canonical().is_loopback(),
            Way::Named => !is_odd(address),
        }
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.holds(address))
    }
}

/// A host and the port behind it, as in a list.
pub(crate) fn host_and_port(word: &str) -> Option<(String, Option<u16>)> {
    if word.contains(['/', '\\', '*', '@', '?', '#', '%']) || word.contains(char::is_whitespace) || word.ends_with(':')
    {
        return None;
    }
    let url = Url::parse(&format!("https://{word}")).ok()?;
    let host = bare(&url.host()?);
    // A URL's port is gone when it is the scheme's own.
    let port = word.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    Some((host, port))
}

/// A host in the one spelling that is compared.
pub(crate) fn bare(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => rooted(name).to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().to_string(),
    }
}

/// A name without the one dot that may end it.
pub(crate) fn rooted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_inner(name: &str) -> bool {
    let name = rooted(name).to_ascii_lowercase();
    let below = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.contains('.') || INNER.into_iter().any(below)
}
