//! Whose request it is: the peer's address, or what a trusted proxy says of it.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use actix_web::http::header::HeaderMap;

/// A block of addresses, as in `ALLOWED_IPS` and `TRUSTED_PROXIES`. A single address is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// A block that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or a CIDR block such as 203.0.113.0/24")]
pub struct CidrError(String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let error = || CidrError(text.to_owned());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let network: IpAddr = address.parse().map_err(|_| error())?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| error())?;
        if prefix > longest { Err(error()) } else { Ok(Self { network, prefix }) }
    }
}

impl Cidr {
    /// Whether the block holds the address. An IPv4 address in IPv6 dress counts as IPv4.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// The address a request came from. `X-Forwarded-For` is read from its right end for as long as trusted proxies wrote it.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|block| block.holds(address));
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").filter_map(|line| line.to_str().ok()).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        // Whoever stands left of something unreadable is unknown: the last one known answers for it.
        let Some(forwarded) = parse_forwarded(entry.trim()) else { break };
        address = forwarded.to_canonical();
        if !is_trusted(address) {
            break;
        }
    }
    address
}

/// Some proxies write a port, and brackets around IPv6.
fn parse_forwarded(entry: &str) -> Option<IpAddr> {
    let bare = || entry.parse::<IpAddr>().ok();
    let with_port = || entry.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare().or_else(with_port).or_else(bracketed)
}

/// What one guesser can be counted by: an IPv4 address, or the /64 an IPv6 customer gets.
#[must_use]
pub fn guesser(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn a_block_holds_its_own_addresses_only() {
        let block: Cidr = "10.1.0.0/16".parse().unwrap();
        assert!(block.holds(ip("10.1.255.255")) && block.holds(ip("::ffff:10.1.2.3")));
        assert!(!block.holds(ip("10.2.0.0")) && !block.holds(ip("::1")));
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.holds(ip("255.1.2.3")) && !all.holds(ip("::1")));
        let one: Cidr = "2001:db8::1".parse().unwrap();
        assert!(one.holds(ip("2001:db8::1")) && !one.holds(ip("2001:db8::2")));
    }

    #[test]
    fn what_is_no_block_is_said_to_be_none() {
        for junk in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "a/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(junk.parse::<Cidr>().unwrap_err().to_string().contains("CIDR"), "{junk}");
        }
    }

    #[test]
    fn a_stranger_is_not_believed_about_who_he_is() {
        assert_eq!(client_address(ip("203.0.113.7"), &forwarded(&["10.0.0.1"]), &[]), ip("203.0.113.7"));
    }

    #[test]
    fn the_nearest_untrusted_hop_is_the_client() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let headers = forwarded(&["1.1.1.1, 203.0.113.7", "10.0.0.5"]);
        assert_eq!(client_address(ip("10.0.0.9"), &headers, &trusted), ip("203.0.113.7"));
        assert_eq!(client_address(ip("10.0.0.9"), &forwarded(&["junk, 10.0.0.5"]), &trusted), ip("10.0.0.5"));
        assert_eq!(
            client_address(ip("::ffff:10.0.0.9"), &forwarded(&["[2001:db8::1]:443"]), &trusted),
            ip("2001:db8::1")
        );
        assert_eq!(client_address(ip("10.0.0.9"), &forwarded(&["203.0.113.7:1234"]), &trusted), ip("203.0.113.7"));
    }
}
