//! Where the gateway listens, and how it is reached.

use std::num::NonZeroUsize;

use super::args::{self, SettingsArgs};
use super::read::{Read, number, or, set};
use super::{HttpSettings, SettingsError, SettingsErrors};
use crate::http::public_url::{PublicUrl, UrlSource};
use crate::redact;

pub(super) fn http(args: &SettingsArgs, wrong: &mut SettingsErrors) -> Option<HttpSettings> {
    let host = wrong.take(host(args));
    let port = wrong.take(port(args));
    let workers = wrong.take(workers(args));
    let public = wrong.take(public(args));
    let operators = operators(args, wrong);
    Some(HttpSettings {
        host: host?.to_owned(),
        port: port?,
        workers: workers?,
        public: public?,
        operators: operators?,
    })
}

pub(super) fn host(args: &SettingsArgs) -> Read<&str> {
    address("HOST", or(&args.host, args::HOST))
}

fn port(args: &SettingsArgs) -> Read<u16> {
    number("PORT", or(&args.port, args::PORT), 0, u16::MAX)
}

/// As many threads as were set, else one for every two cores.
pub(super) fn workers(args: &SettingsArgs) -> Read<NonZeroUsize> {
    // One thread carries hundreds of calls, and each more of them wakes up more often for the same frames: the other half of
    // the cores is for the database, the kernel's network and whatever else the machine does.
    let cores = || {
        let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        NonZeroUsize::new(all.get() / 2).unwrap_or(NonZeroUsize::MIN)
    };
    match set(&args.workers) {
        Some(count) => Ok(NonZeroUsize::new(number("WORKERS", count, 1, 1024)?).unwrap_or(NonZeroUsize::MIN)),
        None => Ok(cores()),
    }
}

/// An address or a name to listen on.
fn address<'a>(name: &'static str, host: &'a str) -> Read<&'a str> {
    let odd = host.contains(|character: char| character.is_whitespace() || character == '/');
    let problem = || format!("`{}` is no address: give one such as 0.0.0.0 or 127.0.0.1", redact::url(host));
    if odd { Err(SettingsError::new(name, problem())) } else { Ok(host) }
}

/// The listener of operators.
fn operators(args: &SettingsArgs, wrong: &mut SettingsErrors) -> Option<Option<(String, u16)>> {
    let host = set(&args.admin_host).map(|host| address("ADMIN_HOST", host));
    let port = set(&args.admin_port).map(|port| number("ADMIN_PORT", port, 0, u16::MAX));
    if host.is_none() && port.is_none() {
        return Some(None);
    }
    let missing = || Err(SettingsError::new("ADMIN_PORT", "not set, and ADMIN_HOST is: give the port as well"));
    let host = wrong.take(host.unwrap_or(Ok(args::ADMIN_HOST)));
    let port = wrong.take(port.unwrap_or_else(missing));
    Some(Some((host?.to_owned(), port?)))
}

/// What was set, what Railway says, or this machine.
pub(super) fn public(args: &SettingsArgs) -> Read<PublicUrl> {
    if let Some(url) = set(&args.public_base_url) {
        return PublicUrl::parse(url, UrlSource::PublicBaseUrl)
            .map_err(|why| SettingsError::new("PUBLIC_BASE_URL", why));
    }
    let railway = "RAILWAY_PUBLIC_DOMAIN";
    match set(&args.railway_public_domain) {
        Some(domain) if domain.contains("://") => Err(SettingsError::new(
            railway,
            format!("`{}` is a URL: give the bare domain, or use PUBLIC_BASE_URL", redact::url(domain)),
        )),
        Some(domain) => PublicUrl::parse(&format!("https://{domain}"), UrlSource::RailwayPublicDomain)
            .map_err(|why| SettingsError::new(railway, why)),
        None => PublicUrl::localhost(port(args).unwrap_or_default())
            .map_err(|why| SettingsError::new("PUBLIC_BASE_URL", why)),
    }
}
