//! Addresses: blocks of them as settings list them, and this machine's own.

use std::net::IpAddr;
use std::str::FromStr;

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

/// Whether an address or name to listen on is reachable from this machine only.
#[must_use]
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
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
}
