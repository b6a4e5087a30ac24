//! Whose request it is: the peer's address, or what a trusted proxy says of it.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::HeaderMap;

use crate::address::Cidr;

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
