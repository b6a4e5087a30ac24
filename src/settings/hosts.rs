//! Where a recording may be fetched: names, and the addresses behind them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::{Host, Url};

/// `RECORDING_HOSTS`, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingHosts(Vec<Entry>);

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Lower case; an address without brackets.
    host: String,
    port: Option<u16>,
    /// This machine: http will do, and its addresses may be what they are.
    loopback: bool,
}

/// Why nothing is fetched from a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL with a host.
    #[error("it is no URL")]
    NoUrl,
    /// Neither https nor http to this machine.
    #[error("it is not https")]
    NotHttps,
    /// It names a user.
    #[error("it carries credentials of its own")]
    Credentials,
    /// None of the hosts.
    #[error("its host is none of RECORDING_HOSTS")]
    Host,
    /// The host is in the list, and its address is one of a network that nobody outside should reach.
    #[error("its host has a private address")]
    Private,
}

impl FromStr for RecordingHosts {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(entry).collect::<Result<_, _>>().map(Self)
    }
}

fn entry(word: &str) -> Result<Entry, String> {
    let problem = || format!("`{word}` is no host: give names such as exotel.com, or name:port, comma-separated");
    if word.contains(['/', '*', '@', '?', '#']) {
        return Err(problem());
    }
    let url = Url::parse(&format!("https://{word}")).map_err(|_| problem())?;
    let host = bare(&url.host().ok_or_else(problem)?);
    // A URL's port is gone when it is the scheme's own.
    let port = word.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    Ok(Entry { host, port, loopback })
}

fn bare(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => rooted(name).to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

/// A name without the one dot that may end it.
fn rooted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl Entry {
    fn holds(&self, host: &Host<&str>, port: u16) -> bool {
        let name = bare(host);
        let is_it = match host {
            Host::Domain(_) if !self.loopback => {
                let below = name.strip_suffix(self.host.as_str());
                !name.split('.').any(str::is_empty) && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            _ => name == self.host,
        };
        // Where no port is given, it is https's own; on this machine it is any.
        is_it && self.port.map_or(self.loopback || port == 443, |own| own == port)
    }
}

impl RecordingHosts {
    /// Whether a recording may be fetched from a URL, as far as the URL tells: its addresses are looked at when it is fetched.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        let host = url.host().ok_or(Forbidden::NoUrl)?;
        let port = url.port_or_known_default().ok_or(Forbidden::NotHttps)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::Credentials);
        }
        let loopback = self.0.iter().any(|entry| entry.loopback && entry.holds(&host, port));
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err(Forbidden::NotHttps),
        }
        if !self.0.iter().any(|entry| entry.holds(&host, port)) {
            return Err(Forbidden::Host);
        }
        let address = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
        };
        if loopback || is_public(address) { Ok(()) } else { Err(Forbidden::Private) }
    }

    /// The same for a URL as text.
    ///
    /// # Errors
    /// Why not.
    pub fn check_text(&self, url: &str) -> Result<(), Forbidden> {
        self.check(&Url::parse(url).map_err(|_| Forbidden::NoUrl)?)
    }

    /// Whether an address that a name stands for may be connected to.
    #[must_use]
    pub fn may_reach(&self, name: &str, address: IpAddr) -> bool {
        let name = rooted(name).to_ascii_lowercase();
        let here = self.0.iter().any(|entry| entry.loopback && entry.host == name);
        if here { address.is_loopback() } else { is_public(address) }
    }
}

impl fmt::Display for RecordingHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> = self.0.iter().map(|entry| entry.host.as_str()).collect();
        f.write_str(&hosts.join(", "))
    }
}

/// Whether an address is one of the internet at large.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
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
    // This network; carriers' NAT; protocol assignments; benchmarks; reserved.
    let reserved = a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !special && !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let within = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        // NAT64 and 6to4 carry an IPv4 address, which decides.
        [0x64, 0xff9b, .., high, low] => is_public_v4(within(high, low)),
        [0x2002, high, low, ..] => is_public_v4(within(high, low)),
        // Documentation, benchmarks and tunnels.
        [0x2001, 0x0db8, ..] | [0x2001, 0..=0x1ff, ..] => false,
        // What is global unicast at all: that leaves out loopback, local, link-local, multicast and the rest.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, url: &str) -> Result<(), Forbidden> {
        list.parse::<RecordingHosts>().unwrap().check_text(url)
    }

    #[test]
    fn recordings_come_from_the_listed_hosts_and_those_below_them() {
        let list = "exotel.com, S3-ap-southeast-1.amazonaws.com,rec.example:8443";
        for url in [
            "https://exotel.com/a.mp3",
            "https://recordings.exotel.com/a.mp3",
            "https://RECORDINGS.EXOTEL.COM./a.mp3",
            "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/a.mp3",
            "https://eu.rec.example:8443/a.mp3",
        ] {
            assert_eq!(check(list, url), Ok(()), "{url}");
        }
        for (url, why) in [
            ("recordings/a.mp3", Forbidden::NoUrl),
            ("file:///etc/passwd", Forbidden::NoUrl),
            ("ftp://exotel.com/a.mp3", Forbidden::NotHttps),
            ("http://recordings.exotel.com/a.mp3", Forbidden::NotHttps),
            ("https://me:secret@exotel.com/a.mp3", Forbidden::Credentials),
            ("https://exotel.com@evil.example/a.mp3", Forbidden::Credentials),
            ("https://notexotel.com/a.mp3", Forbidden::Host),
            ("https://exotel.com../a.mp3", Forbidden::Host),
            ("https://recordings..exotel.com/a.mp3", Forbidden::Host),
            ("https://.exotel.com/a.mp3", Forbidden::Host),
            ("https://exotel.com.evil.example/a.mp3", Forbidden::Host),
            ("https://exotel.com:8443/a.mp3", Forbidden::Host),
            ("https://rec.example/a.mp3", Forbidden::Host),
            ("https://127.0.0.1/a.mp3", Forbidden::Host),
            ("https://169.254.169.254/latest/meta-data", Forbidden::Host),
            ("http://localhost/a.mp3", Forbidden::NotHttps),
        ] {
            assert_eq!(check(list, url), Err(why), "{url}");
        }
    }

    #[test]
    fn this_machine_is_fetched_from_only_when_it_is_listed() {
        assert_eq!(check("127.0.0.1:9000", "http://127.0.0.1:9000/a.mp3"), Ok(()));
        assert_eq!(check("127.0.0.1:9000", "http://127.0.0.1:9001/a.mp3"), Err(Forbidden::NotHttps));
        assert_eq!(check("localhost", "http://localhost:4000/a.mp3"), Ok(()));
        assert_eq!(check("localhost", "http://evil.localhost:4000/a.mp3"), Err(Forbidden::NotHttps));
        assert_eq!(check("[::1]:80", "http://[::1]/a.mp3"), Ok(()));
        // Spelt otherwise it is the same address.
        assert_eq!(check("exotel.com", "https://2130706433/a.mp3"), Err(Forbidden::Host));
        assert_eq!(check("10.0.0.5", "https://10.0.0.5/a.mp3"), Err(Forbidden::Private));
        let hosts: RecordingHosts = "exotel.com,localhost".parse().unwrap();
        let may = |name: &str, address: &str| hosts.may_reach(name, address.parse().unwrap());
        assert!(may("localhost", "127.0.0.1") && !may("localhost", "8.8.8.8"));
        assert!(may("exotel.com", "13.127.1.1") && !may("exotel.com", "127.0.0.1"));
    }

    #[test]
    fn addresses_of_private_networks_are_not_public() {
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::10.0.0.1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "13.127.200.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::8.8.8.8", "2404:6800::1"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_is_no_host_is_named() {
        for word in ["https://exotel.com", "*.exotel.com", "exotel.com/rec", "a b", "me@exotel.com"] {
            let problem = word.parse::<RecordingHosts>().unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
