//! This machine: who asks from it, and what a browser on it was made to send.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use url::{Host, Url};

use super::address::client_address;
use super::error::Refused;
use crate::address::Cidr;

/// What proxies add: with one of them, somebody else may stand behind an address of this machine.
const FORWARDED: [&str; 10] = [
    "x-forwarded-for",
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-by",
    "cf-connecting-ip",
    "true-client-ip",
];

/// Whether whoever asks is on this machine: directly, or by a trusted proxy on it that says so.
pub(super) fn is_here(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> bool {
    let peer = peer.to_canonical();
    let tells = headers.contains_key("x-forwarded-for") && trusted.iter().any(|block| block.holds(peer));
    let client = client_address(peer, headers, trusted);
    let alone = !FORWARDED.iter().any(|name| headers.contains_key(*name));
    peer.is_loopback() && client.is_loopback() && (tells || alone)
}

/// Whether an operator who shows no token may be told how things are: from this machine, and not by a web page.
pub(super) fn may_watch(request: &HttpRequest, trusted: &[Cidr], public: &Url) -> bool {
    let peer = request.peer_addr().map(|peer| peer.ip());
    peer.is_some_and(|peer| is_here(peer, request.headers(), trusted)) && check_page(request.headers(), public).is_ok()
}

/// Refuses what a web page of another origin has a browser on this machine send: by a name that was pointed here (`Host`), by a script
/// or a socket (`Origin`), or by an image (`Sec-Fetch-Site`, `Referer`). Programs send none of these.
///
/// # Errors
/// `Host` or `Origin`.
pub fn check_page(headers: &HeaderMap, public: &Url) -> Result<(), Refused> {
    let host = text(headers, &header::HOST).map(|host| Url::parse(&format!("http://{host}")).ok());
    // One that cannot be read names nobody.
    let own = match host {
        None => None,
        Some(url) => Some(url.filter(is_this_machine).ok_or(Refused::Host)?),
    };
    let is_own = |page: &str| {
        let page = Url::parse(page).ok().map(|page| page.origin());
        page.is_some_and(|page| page == public.origin() || own.as_ref().is_some_and(|own| own.origin() == page))
    };
    let pages = [header::ORIGIN, header::REFERER];
    let foreign = pages.iter().flat_map(|name| headers.get_all(name)).any(|page| !page.to_str().is_ok_and(is_own));
    let site = HeaderName::from_static("sec-fetch-site");
    let by_page = headers.get_all(site).any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    if foreign || by_page { Err(Refused::Origin) } else { Ok(()) }
}

/// A header as text; one that is no text is an empty one.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn page(pairs: &[(&'static str, &str)]) -> Result<(), &'static str> {
        let public = Url::parse("http://localhost:8080").unwrap();
        check_page(&headers(pairs), &public).map_err(|refused| refused.code())
    }

    #[test]
    fn a_name_that_was_pointed_at_this_machine_is_not_this_machine() {
        for host in ["localhost:8080", "LOCALHOST", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "calls.localhost"] {
            assert_eq!(page(&[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(page(&[]), Ok(()), "HTTP/1.0");
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a b", "[::2]"]
        {
            assert_eq!(page(&[("host", host)]), Err("host_not_allowed"), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_gets_nothing_done_whatever_it_uses() {
        let host = ("host", "127.0.0.1:8080");
        for (name, own) in [
            ("origin", "http://127.0.0.1:8080"),
            ("origin", "http://localhost:8080"),
            ("referer", "http://127.0.0.1:8080/console"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            assert_eq!(page(&[host, (name, own)]), Ok(()), "{name}: {own}");
        }
        for (name, foreign) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", ""),
            ("origin", "http://127.0.0.1:3000"),
            ("origin", "http://127.0.0.1:8080.evil.example"),
            ("origin", "http://localhost:8080@evil.example"),
            ("referer", "https://evil.example/page"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(page(&[host, (name, foreign)]), Err("origin_not_allowed"), "{name}: {foreign}");
        }
        assert_eq!(
            page(&[host, ("origin", "http://localhost:8080"), ("origin", "https://evil.example")]),
            Err("origin_not_allowed")
        );
    }

    #[test]
    fn whoever_comes_by_a_proxy_is_not_here_unless_a_trusted_one_says_so() {
        let here = |peer: &str, pairs: &[(&'static str, &str)], trusted: &[&str]| {
            let trusted: Vec<Cidr> = trusted.iter().map(|block| block.parse().unwrap()).collect();
            is_here(peer.parse().unwrap(), &headers(pairs), &trusted)
        };
        assert!(here("127.0.0.1", &[], &[]) && here("::1", &[], &[]) && here("::ffff:127.0.0.1", &[], &[]));
        assert!(!here("10.0.0.1", &[], &[]) && !here("203.0.113.7", &[], &[]));
        for name in FORWARDED {
            assert!(!here("127.0.0.1", &[(name, "127.0.0.1")], &[]), "{name}");
        }
        let loopback = ["127.0.0.0/8"];
        assert!(here("127.0.0.1", &[("x-forwarded-for", "127.0.0.1")], &loopback));
        assert!(!here("127.0.0.1", &[("x-forwarded-for", "203.0.113.7")], &loopback));
        assert!(!here("127.0.0.1", &[("x-forwarded-for", "127.0.0.1, 203.0.113.7")], &loopback));
        assert!(!here("127.0.0.1", &[("x-real-ip", "203.0.113.7")], &loopback), "it says so in its own way");
        // Another machine's loopback is not ours.
        assert!(!here("10.0.0.1", &[("x-forwarded-for", "127.0.0.1")], &["10.0.0.0/8"]));
    }
}
