//! What may be asked, and what not.

use std::time::Duration;

use reqwest::Method;
use url::Url;

use super::address::is_public;
use super::hosts::Way;
use super::*;

fn check(list: &str, url: &str) -> Result<(), Forbidden> {
    let hosts: PrivateHosts = list.parse().unwrap();
    Url::parse(url).map_or(Err(Forbidden::NoUrl), |url| hosts.check(&url))
}

#[test]
fn nobody_has_this_machine_ask_a_private_address_however_it_is_spelt() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:0:10.0.0.1]",
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::8.8.8.8]",
        "[2002:a9fe:a9fe::]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[2400:cb00::5efe:10.0.0.1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "metadata.google.internal",
        "printer.local",
        "crm",
    ] {
        let told = check("", &format!("https://{host}/latest/meta-data"));
        assert_eq!(told, Err(Forbidden::Private), "{host}");
        assert_eq!(check("", &format!("http://{host}/")), Err(Forbidden::NotHttps), "{host}");
    }
}

#[test]
fn whoever_is_on_the_internet_is_asked_over_https_alone() {
    for url in
        ["https://crm.example/hooks", "https://8.8.8.8/", "https://crm.example:8443/x", "https://[2606:4700::1]/"]
    {
        assert_eq!(check("", url), Ok(()), "{url}");
    }
    for (url, why) in [
        ("http://crm.example/x", Forbidden::NotHttps),
        ("ftp://crm.example/x", Forbidden::NotHttps),
        ("mailto:a@b.c", Forbidden::NoUrl),
        ("file:///etc/passwd", Forbidden::NoUrl),
        ("https://me:pw@crm.example/x", Forbidden::Credentials),
        ("https://crm.example@10.0.0.1/x", Forbidden::Credentials),
    ] {
        assert_eq!(check("", url), Err(why), "{url}");
    }
    let long = format!("https://crm.example/{}", "a".repeat(LONGEST_URL));
    assert_eq!(check("", &long), Err(Forbidden::TooLong));
}

#[test]
fn what_private_hosts_lists_is_asked_and_nothing_beside_it() {
    let list = "crm.internal:8080, LocalHost ,10.1.0.0/16,192.168.7.7,[::1]:9000,fd00::/8";
    for url in [
        "http://crm.internal:8080/x",
        "https://CRM.internal.:8080/x",
        "http://localhost:9/x",
        "https://localhost/x",
        "http://10.1.255.1:99/x",
        "https://[::ffff:10.1.0.1]/x",
        "http://192.168.7.7/x",
        "http://[::1]:9000/x",
        "http://[fd12::1]/x",
    ] {
        assert_eq!(check(list, url), Ok(()), "{url}");
    }
    for (url, why) in [
        ("http://10.2.0.1/x", Forbidden::NotHttps),
        ("https://10.2.0.1/x", Forbidden::Private),
        ("https://127.0.0.1/x", Forbidden::Private),
        ("https://[::1]/x", Forbidden::Private),
        ("http://169.254.169.254/x", Forbidden::NotHttps),
        ("http://me@crm.internal:8080/x", Forbidden::Credentials),
    ] {
        assert_eq!(check(list, url), Err(why), "{url}");
    }
    assert_eq!(check("crm.internal:8080", "http://crm.internal/x"), Err(Forbidden::NotHttps));
    assert_eq!(check("crm.internal:8080", "https://crm.internal/x"), Err(Forbidden::Private));
    assert_eq!(check("crm.internal", "http://a.crm.internal/x"), Err(Forbidden::NotHttps));
    // An address is that of URLs that hold it; a block is also for the names that stand for addresses of it.
    assert_eq!(check("10.1.0.1", "http://crm.example/x"), Err(Forbidden::NotHttps));
    assert_eq!(check("10.1.0.1/32", "http://crm.example/x"), Ok(()), "judged when connected to");
}

#[test]
fn a_name_stands_only_for_addresses_that_may_be_asked_under_it() {
    let hosts: PrivateHosts = "crm.internal,localhost,10.1.0.0/16".parse().unwrap();
    let may = |way, name: &str, address: &str| hosts.may_reach(way, name, address.parse().unwrap());
    assert!(may(Way::Public, "crm.example", "13.127.1.1") && may(Way::Public, "crm.example", "10.1.2.3"));
    for address in ["127.0.0.1", "10.2.0.1", "169.254.169.254", "::1", "::ffff:10.2.0.1", "64:ff9b::10.2.0.1"] {
        assert!(!may(Way::Public, "crm.example", address), "{address}");
    }
    assert!(may(Way::Blocks, "crm.example", "10.1.2.3") && !may(Way::Blocks, "crm.example", "13.127.1.1"));
    assert!(may(Way::Named, "crm.internal", "172.16.0.1") && may(Way::Named, "crm.internal", "127.0.0.1"));
    assert!(may(Way::Named, "localhost", "::1") && !may(Way::Named, "LocalHost.", "8.8.8.8"));
    for address in ["169.254.169.254", "0.0.0.0", "::", "fe80::1", "ff02::1", "255.255.255.255", "::ffff:169.254.0.1"] {
        assert!(!may(Way::Named, "crm.internal", address), "{address}");
    }
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
    for address in ["8.8.8.8", "13.127.200.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::8.8.8.8", "2404:6800::1"] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn what_is_no_private_host_is_named() {
    for word in ["http://crm.internal", "*.internal", "10.0.0.0/99", "crm/x", "a b", "me@crm", "crm:99999", "crm%2e"] {
        let problem = word.parse::<PrivateHosts>().unwrap_err();
        assert!(problem.contains(word), "{problem}");
    }
}

/// `localhost` stands for a public name here: it is listed nowhere, and resolves to this machine.
#[actix_web::test]
async fn a_name_that_turns_out_to_be_private_is_not_connected_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hosts: PrivateHosts = "10.0.0.0/8".parse().unwrap();
    let second = Duration::from_secs(1);
    let client = Outgoing::new(&hosts, Times { connect: second, idle: second }).unwrap();
    for (scheme, why) in [("https", Forbidden::Private), ("http", Forbidden::NotHttps)] {
        let url = Url::parse(&format!("{scheme}://localhost:{port}/")).unwrap();
        let error = client.request(Method::GET, &url).unwrap().send().await.unwrap_err();
        assert_eq!(refused_by_guard(&error), Some(why), "{error:?}");
    }
    let accepted = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(accepted.is_err(), "nobody knocked");
}
