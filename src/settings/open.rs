//! `WEBHOOK_AUTH=none`: for a machine that nobody else reaches.

use super::SettingsError;
use super::read::Read;
use crate::address::{Cidr, is_loopback};
use crate::http::auth::AuthMethod;
use crate::http::public_url::PublicUrl;

/// Refuses `none` unless everything that is set says that nobody but this machine can ask: not the socket alone, since a proxy on this
/// machine has the whole world behind it.
pub(super) fn check(ways: &[AuthMethod], host: &str, public: &PublicUrl, proxies: &[Cidr]) -> Read<()> {
    if !ways.contains(&AuthMethod::None) {
        return Ok(());
    }
    let public = public.base().host_str().unwrap_or_default();
    let outside = match () {
        () if !is_loopback(host) => "HOST is not loopback",
        () if !is_loopback(public) => "PUBLIC_BASE_URL (or RAILWAY_PUBLIC_DOMAIN) is not this machine",
        () if !proxies.is_empty() => "TRUSTED_PROXIES lets others in",
        () => return Ok(()),
    };
    let problem = format!(
        "`none` lets anybody place calls, and {outside}: use key, basic or signature; or, to try things out, HOST=127.0.0.1, \
         a loopback PUBLIC_BASE_URL and no TRUSTED_PROXIES"
    );
    Err(SettingsError::new("WEBHOOK_AUTH", problem))
}
