//! Where a recording may be fetched: `RECORDING_HOSTS`.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::address::is_loopback;
use crate::outgoing::{Forbidden, PrivateHosts, bare, host_and_port};

/// The carrier's own hosts, and those below them: where the Basic pair of its API may be shown.
const CARRIER: [&str; 2] = ["exotel.com", "exotel.in"];

/// Hosts that are shared by strangers, told apart by the path or by a name in front: nothing below them is meant unless it is listed.
const SHARED: [&str; 5] = [
    "amazonaws.com",
    "storage.googleapis.com",
    "blob.core.windows.net",
    "r2.cloudflarestorage.com",
    "digitaloceanspaces.com",
];

/// `RECORDING_HOSTS`, checked, and which of them may be private.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingHosts {
    entries: Vec<Entry>,
    private: PrivateHosts,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Lower case; an address without brackets.
    host: String,
    port: Option<u16>,
    /// With slashes at both ends: only what lies below it, on that host alone.
    path: Option<String>,
}

impl FromStr for RecordingHosts {
    type Err = String;

    /// Those of this machine may be asked over plain http: whoever lists it by name means it.
    fn from_str(list: &str) -> Result<Self, String> {
        let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
        let entries: Vec<Entry> = words.map(entry).collect::<Result<_, _>>()?;
        let mut private = PrivateHosts::default();
        for entry in entries.iter().filter(|entry| is_loopback(&entry.host)) {
            private.add(entry.host.clone(), entry.port);
        }
        Ok(Self { entries, private })
    }
}

fn entry(word: &str) -> Result<Entry, String> {
    let problem =
        || format!("`{word}` is no host: give names such as exotel.com, name:port or name/path/, comma-separated");
    let (host, path) = word.split_once('/').map_or((word, None), |(host, path)| (host, Some(path)));
    let (host, port) = host_and_port(host).ok_or_else(problem)?;
    let path = match path.map(|path| path.trim_matches('/')) {
        None | Some("") => None,
        Some(path) if path.contains(['?', '#', '*', '\\', '%']) || path.split('/').any(is_way_up) => {
            return Err(problem());
        }
        Some(path) => Some(format!("/{path}/")),
    };
    Ok(Entry { host, port, path })
}

fn is_way_up(segment: &str) -> bool {
    matches!(segment, "" | "." | "..")
}

/// Whether a name is that of a host, or of one below it.
fn is_below(name: &str, host: &str) -> bool {
    let below = name.strip_suffix(host);
    !name.split('.').any(str::is_empty) && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl Entry {
    fn holds(&self, host: &Host<&str>, port: u16, private: &PrivateHosts) -> bool {
        let name = bare(host);
        let alone = self.path.is_some() || self.is_shared() || is_loopback(&self.host);
        let is_it = match host {
            Host::Domain(_) if !alone => is_below(&name, &self.host),
            _ => name == self.host,
        };
        // Where no port is given, it is https's own; of a private host it is whichever may be asked.
        is_it && self.port.map_or_else(|| port == 443 || private.names(host, port), |own| own == port)
    }

    /// Whether it is a place that strangers share.
    fn is_shared(&self) -> bool {
        SHARED.iter().any(|shared| is_below(&self.host, shared))
    }

    /// Whether a path lies below the one that is listed, for whoever reads it: an escaped way up is one as well.
    fn covers(&self, path: &str) -> bool {
        let Some(own) = &self.path else { return true };
        let mut plain = path.to_ascii_lowercase();
        // Escapes of escapes are undone too; each round makes the text shorter.
        while plain.contains("%25") {
            plain = plain.replace("%25", "%");
        }
        let plain = plain.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
        path.starts_with(own.as_str()) && !plain.split('/').any(|segment| matches!(segment, "." | ".."))
    }
}

impl RecordingHosts {
    /// With the hosts that may be private.
    #[must_use]
    pub fn with_private(mut self, private: &PrivateHosts) -> Self {
        self.private.extend(private);
        self
    }

    /// Those that may be private.
    #[must_use]
    pub fn private(&self) -> &PrivateHosts {
        &self.private
    }

    /// Whether a recording may be fetched from a URL, as far as the URL tells: its addresses are looked at when it is fetched.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        let may = self.private.check(url);
        if let Err(why) = may
            && why != Forbidden::Private
        {
            return Err(why);
        }
        let host = url.host().ok_or(Forbidden::NoUrl)?;
        let port = url.port_or_known_default().ok_or(Forbidden::NotHttps)?;
        let mut listed = self.entries.iter().filter(|entry| entry.holds(&host, port, &self.private)).peekable();
        if listed.peek().is_none() {
            return Err(Forbidden::Host);
        }
        if !listed.any(|entry| entry.covers(url.path())) {
            return Err(Forbidden::Path);
        }
        may
    }

    /// The same for a URL as text.
    ///
    /// # Errors
    /// Why not.
    pub fn check_text(&self, url: &str) -> Result<(), Forbidden> {
        self.check(&Url::parse(url).map_err(|_| Forbidden::NoUrl)?)
    }

    /// Whether the carrier's API credentials may be shown there: to the carrier itself over https, and to a stand-in for it that the
    /// settings name. Never to a store that strangers share.
    #[must_use]
    pub fn takes_credentials(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
        let name = bare(&host);
        let carrier = url.scheme() == "https" && CARRIER.iter().any(|own| is_below(&name, own));
        carrier || self.private.names(&host, port)
    }

    /// Listed hosts that are shared by strangers, without the path that would tell whose is meant.
    pub fn too_wide(&self) -> impl Iterator<Item = &str> {
        let wide = self.entries.iter().filter(|entry| entry.path.is_none() && entry.is_shared());
        wide.map(|entry| entry.host.as_str())
    }
}

impl fmt::Display for RecordingHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Entry { host, port, path }) in self.entries.iter().enumerate() {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{host}{port}{}", path.as_deref().unwrap_or_default())?;
        }
        Ok(())
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
    }

    #[test]
    fn a_private_host_is_fetched_from_only_when_both_lists_have_it() {
        let private: PrivateHosts = "minio.internal:9000,10.1.0.0/16".parse().unwrap();
        let both =
            |list: &str, url: &str| list.parse::<RecordingHosts>().unwrap().with_private(&private).check_text(url);
        assert_eq!(both("minio.internal", "http://minio.internal:9000/a.mp3"), Ok(()));
        assert_eq!(both("minio.internal", "http://minio.internal:9001/a.mp3"), Err(Forbidden::Host));
        assert_eq!(
            both("minio.internal:9001", "https://minio.internal:9001/a.mp3"),
            Ok(()),
            "judged when connected to"
        );
        assert_eq!(both("10.1.2.3", "https://10.1.2.3/a.mp3"), Ok(()));
        assert_eq!(both("10.2.2.3", "https://10.2.2.3/a.mp3"), Err(Forbidden::Private));
        assert_eq!(both("exotel.com", "http://minio.internal:9000/a.mp3"), Err(Forbidden::Host));
        assert_eq!(check("minio.internal", "https://minio.internal/a.mp3"), Err(Forbidden::Private));
    }

    #[test]
    fn what_is_no_host_is_named() {
        for word in
            ["https://exotel.com", "*.exotel.com", "exotel.com/../rec", "exotel.com/%2e", "a b", "me@exotel.com"]
        {
            let problem = word.parse::<RecordingHosts>().unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn a_bucket_of_a_shared_host_is_no_door_to_the_others_beside_it() {
        let list = "exotel.com,exotel.in,s3-ap-southeast-1.amazonaws.com/exotelrecordings/";
        let at = |rest: &str| check(list, &format!("https://s3-ap-southeast-1.amazonaws.com{rest}"));
        for good in ["/exotelrecordings/acme/a.mp3", ":443/exotelrecordings/a.mp3", "/exotelrecordings//a%20b.mp3"] {
            assert_eq!(at(good), Ok(()), "{good}");
        }
        assert_eq!(check(list, "https://S3-AP-Southeast-1.AmazonAWS.com./exotelrecordings/a.mp3"), Ok(()));
        for (bad, why) in [
            ("/attacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings", Forbidden::Path),
            ("/exotelrecordings.evil/a.mp3", Forbidden::Path),
            ("/EXOTELRECORDINGS/a.mp3", Forbidden::Path),
            ("//exotelrecordings/a.mp3", Forbidden::Path),
            ("//evil.example/exotelrecordings/a.mp3", Forbidden::Path),
            ("/exotelrecordings/../attacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings/%2e%2e/attacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings/.%2E/attacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings/%2e%2e%2fattacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings/..%5cattacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings/%252e%252e%252fattacker/a.mp3", Forbidden::Path),
            ("/exotelrecordings\\..\\attacker\\a.mp3", Forbidden::Path),
            ("/?/exotelrecordings/a.mp3", Forbidden::Path),
            ("/#/exotelrecordings/a.mp3", Forbidden::Path),
            (":8443/exotelrecordings/a.mp3", Forbidden::Host),
            (":80/exotelrecordings/a.mp3", Forbidden::Host),
            ("@evil.example/exotelrecordings/a.mp3", Forbidden::Credentials),
            (".evil.example/exotelrecordings/a.mp3", Forbidden::Host),
        ] {
            assert_eq!(at(bad), Err(why), "{bad}");
        }
        // The bucket in the host's name: anybody's.
        for bucket in ["attacker", "exotelrecordings", "attacker.exotelrecordings"] {
            let url = format!("https://{bucket}.s3-ap-southeast-1.amazonaws.com/exotelrecordings/a.mp3");
            assert_eq!(check(list, &url), Err(Forbidden::Host), "{url}");
        }
        // Not even when the host is listed whole, as it was by default once: that is said.
        let whole: RecordingHosts = "exotel.com,s3-ap-southeast-1.amazonaws.com".parse().unwrap();
        assert_eq!(whole.check_text("https://attacker.s3-ap-southeast-1.amazonaws.com/a.mp3"), Err(Forbidden::Host));
        assert_eq!(whole.too_wide().collect::<Vec<_>>(), ["s3-ap-southeast-1.amazonaws.com"]);
        assert_eq!(list.parse::<RecordingHosts>().unwrap().too_wide().count(), 0);
    }

    #[test]
    fn the_carriers_credentials_are_shown_to_the_carrier_alone() {
        let list = "exotel.com,exotel.in,s3-ap-southeast-1.amazonaws.com/exotelrecordings/,rec.example,127.0.0.1:9000";
        let private: PrivateHosts = "crm.internal:81,10.0.0.0/8".parse().unwrap();
        let hosts = list.parse::<RecordingHosts>().unwrap().with_private(&private);
        let shown = |url: &str| hosts.takes_credentials(&Url::parse(url).unwrap());
        for url in ["https://exotel.com/a", "https://Recordings.EXOTEL.com./a", "http://127.0.0.1:9000/a"] {
            assert!(shown(url), "{url}");
        }
        for url in [
            "http://recordings.exotel.com/a",
            "https://exotel.com.evil.example/a",
            "https://notexotel.com/a",
            "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/a",
            "https://exotel.com.s3-ap-southeast-1.amazonaws.com/exotelrecordings/a",
            "https://rec.example/a",
            "http://127.0.0.1:9001/a",
            "http://10.0.0.7/a",
        ] {
            assert!(!shown(url), "{url}");
        }
    }
}
