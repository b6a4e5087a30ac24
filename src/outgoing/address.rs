//! Which addresses are the internet's at large.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the internet at large.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether an address is nobody's, everybody's, or that of a link: where a cloud keeps its credentials, for one. A name does not make it
/// somebody's, even one that is listed.
pub(super) fn is_odd(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first == 0 || first >= 224 || address.is_link_local()
        }
        IpAddr::V6(address) => {
            let [first, ..] = address.segments();
            address.is_unspecified() || address.is_multicast() || first & 0xffc0 == 0xfe80
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast();
    // This network; carriers' NAT; protocol assignments; relays of 6to4; benchmarks; reserved.
    let reserved = a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !special && !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // NAT64, 6to4 and ISATAP carry an IPv4 address, which decides.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(within(high, low)),
        [0x2002, high, low, ..] => is_public_v4(within(high, low)),
        [first, .., 0 | 0x200, 0x5efe, high, low] if first & 0xe000 == 0x2000 => is_public_v4(within(high, low)),
        // Documentation, benchmarks and tunnels.
        [0x2001, 0x0db8, ..] | [0x2001, 0..=0x1ff, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // What is global unicast at all: that leaves out loopback, local, link-local, multicast and the rest.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}
