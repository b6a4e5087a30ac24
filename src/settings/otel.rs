//! Where traces are told: the variables that every SDK of OpenTelemetry reads, as far as they are of use here.

#![allow(rustdoc::broken_intra_doc_links, reason = "these comments are the words of --help")]

use std::path::PathBuf;

use clap::Args;
use protocol::ids::Secret;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::read::{Read, set};
use super::{SettingsError, SettingsErrors, files};
use crate::redact;
use crate::trace_context::Sampler;
use crate::traces::TraceTarget;

const SERVICE_NAME: &str = "callgate";
const SAMPLER: &str = "parentbased_always_on";
/// Below the endpoint of all signals.
const TRACES: &str = "v1/traces";

/// `OTEL_EXPORTER_OTLP_ENDPOINT` and what belongs to it, as words.
#[derive(Args, Clone, Debug, Default)]
pub struct OtelArgs {
    /// Collector of OpenTelemetry traces (OTLP over HTTP, protobuf), http(s)://host:4318; a private address will do [default: none, and no traces].
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true, value_name = "URL")]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// The same for traces alone, with its path, http(s)://host:4318/v1/traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide_env_values = true, value_name = "URL")]
    pub otel_exporter_otlp_traces_endpoint: Option<String>,

    /// Headers that let us in there: name=value, comma-separated, values percent-encoded. A secret.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true, value_name = "HEADERS")]
    pub otel_exporter_otlp_headers: Option<String>,

    /// A file that holds OTEL_EXPORTER_OTLP_HEADERS.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS_FILE", hide_env_values = true, value_name = "FILE")]
    pub otel_exporter_otlp_headers_file: Option<PathBuf>,

    /// How traces are told: http/protobuf, and nothing else is spoken here.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", hide_env_values = true, value_name = "PROTOCOL")]
    pub otel_exporter_otlp_protocol: Option<String>,

    /// What this service is called there.
    #[arg(long, env = "OTEL_SERVICE_NAME", hide_env_values = true, value_name = "NAME", default_value = SERVICE_NAME)]
    pub otel_service_name: String,

    /// What else is said of it: name=value, comma-separated, such as deployment.environment.name=staging.
    #[arg(long, env = "OTEL_RESOURCE_ATTRIBUTES", hide_env_values = true, value_name = "ATTRIBUTES")]
    pub otel_resource_attributes: Option<String>,

    /// Which calls are traced: always_on, always_off, traceidratio, or one of these behind parentbased_. Of a ratio, calls that failed are traced as well.
    #[arg(long, env = "OTEL_TRACES_SAMPLER", hide_env_values = true, value_name = "SAMPLER", default_value = SAMPLER)]
    pub otel_traces_sampler: String,

    /// The ratio, from 0 to 1 [default: 1].
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", hide_env_values = true, value_name = "RATIO")]
    pub otel_traces_sampler_arg: Option<String>,

    /// true: no traces, whatever else is set.
    #[arg(long, env = "OTEL_SDK_DISABLED", hide_env_values = true, value_name = "true|false")]
    pub otel_sdk_disabled: Option<String>,
}

/// Where traces are told, if they are.
#[derive(Clone, Debug, Default)]
pub struct TraceSettings {
    /// The collector.
    pub target: Option<TraceTarget>,
    /// What was told and is not done, in words: by the specification it is no error.
    pub odd: Vec<String>,
}

impl OtelArgs {
    /// The collector, if there is one; `node` is this gateway's name.
    ///
    /// # Errors
    /// When its URL is none, or its headers cannot be sent.
    pub(super) fn read(&self, node: &str) -> Result<TraceSettings, SettingsErrors> {
        let disabled = set(&self.otel_sdk_disabled).is_some_and(|told| told.eq_ignore_ascii_case("true"));
        let mut wrong = SettingsErrors::default();
        let url = wrong.take(self.url()).flatten();
        let is_told = !disabled && (url.is_some() || wrong.iter().next().is_some());
        let headers = if is_told { wrong.take(self.headers()) } else { None };
        let (Some(url), Some(headers)) = (url, headers) else { return wrong.or(Some(TraceSettings::default())) };
        let mut odd = Vec::new();
        if let Some(other) = set(&self.otel_exporter_otlp_protocol).filter(|told| *told != "http/protobuf") {
            let shown = redact::url(other);
            odd.push(format!("OTEL_EXPORTER_OTLP_PROTOCOL is `{shown}`, and traces are told by http/protobuf: name the collector's port for that, 4318 as a rule"));
        }
        let sampler = self.sampler(&mut odd);
        Ok(TraceSettings { target: Some(TraceTarget { url, headers, resource: self.resource(node), sampler }), odd })
    }

    fn url(&self) -> Read<Option<Url>> {
        let own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        if let Some(told) = set(&self.otel_exporter_otlp_traces_endpoint) {
            return url(own, told).map(Some);
        }
        let Some(told) = set(&self.otel_exporter_otlp_endpoint) else { return Ok(None) };
        let mut url = url("OTEL_EXPORTER_OTLP_ENDPOINT", told)?;
        let path = format!("{}/{TRACES}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Some(url))
    }

    fn headers(&self) -> Read<Vec<(HeaderName, Secret)>> {
        let (name, file) = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS_FILE");
        let held = files::held_instead(file, &self.otel_exporter_otlp_headers_file, &self.otel_exporter_otlp_headers)?;
        let Some(told) = held.as_deref().or(set(&self.otel_exporter_otlp_headers)) else { return Ok(Vec::new()) };
        // The whole is a secret: of it, nothing is shown.
        let wrong = || {
            SettingsError::new(
                name,
                "cannot be sent as headers: write name=value, comma-separated, values percent-encoded",
            )
        };
        pairs(told)
            .map(|pair| {
                let (header, value) = pair.ok_or_else(wrong)?;
                let header = HeaderName::try_from(header).map_err(|_| wrong())?;
                HeaderValue::try_from(value.as_str()).map_err(|_| wrong())?;
                Ok((header, Secret::new(value)))
            })
            .collect()
    }

    /// By the specification, pairs that are none are ignored, and OTEL_SERVICE_NAME counts more than they do.
    fn resource(&self, node: &str) -> Vec<(String, String)> {
        let told = set(&self.otel_resource_attributes).unwrap_or_default();
        let own = |name: &str| matches!(name, "service.version" | "service.instance.id");
        let others: Vec<_> = pairs(told).flatten().filter(|(name, _)| !own(name)).collect();
        let told_name = || others.iter().find(|(name, _)| name == "service.name").map(|(_, value)| value.clone());
        let name = match self.otel_service_name.trim() {
            "" | SERVICE_NAME => told_name().unwrap_or_else(|| SERVICE_NAME.to_owned()),
            name => name.to_owned(),
        };
        let ours = [
            ("service.name", name),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", node.to_owned()),
        ];
        let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
        ours.chain(others.into_iter().filter(|(name, _)| name != "service.name")).collect()
    }

    fn sampler(&self, odd: &mut Vec<String>) -> Sampler {
        let told = self.otel_traces_sampler.trim();
        match told.strip_prefix("parentbased_").unwrap_or(told) {
            "" | "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => {
                let arg = set(&self.otel_traces_sampler_arg);
                let ratio = arg.map_or(Some(1.0), |told| told.parse().ok().filter(|part| (0.0..=1.0).contains(part)));
                Sampler::Ratio(ratio.unwrap_or_else(|| {
                    odd.push("OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: all calls are traced".to_owned());
                    1.0
                }))
            }
            _ => {
                odd.push("OTEL_TRACES_SAMPLER is not known (always_on, always_off, traceidratio, or one of these behind parentbased_): all calls are traced".to_owned());
                Sampler::AlwaysOn
            }
        }
    }
}

fn url(name: &'static str, told: &str) -> Read<Url> {
    let shown = redact::url(told);
    let wrong = |problem: String| SettingsError::new(name, problem);
    let mend = "write it as http://host:4318 or https://host";
    let url = Url::parse(told).map_err(|error| wrong(format!("`{shown}` is not a URL ({error}): {mend}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong(format!("`{shown}` is no http URL: {mend}")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(format!("`{shown}` carries credentials: put them into OTEL_EXPORTER_OTLP_HEADERS")));
    }
    Ok(url)
}

/// `name=value,name=value`, values percent-encoded; none for what is no pair.
fn pairs(told: &str) -> impl Iterator<Item = Option<(String, String)>> {
    told.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), decoded(value.trim())?);
        (!name.is_empty()).then(|| (name.to_owned(), value))
    })
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (code, behind) = behind.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(endpoint: &str) -> OtelArgs {
        OtelArgs { otel_exporter_otlp_endpoint: Some(endpoint.to_owned()), ..OtelArgs::default() }
    }

    #[test]
    fn traces_go_where_every_sdk_would_send_them_and_nowhere_by_default() {
        assert!(OtelArgs::default().read("n").unwrap().target.is_none());
        let off = OtelArgs { otel_sdk_disabled: Some("TRUE".to_owned()), ..args("http://collector:4318") };
        assert!(off.read("n").unwrap().target.is_none());
        for (endpoint, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://10.0.0.7:4318/", "http://10.0.0.7:4318/v1/traces"),
            ("https://otlp.example/base/", "https://otlp.example/base/v1/traces"),
        ] {
            assert_eq!(args(endpoint).read("n").unwrap().target.unwrap().url.as_str(), url);
        }
        let own = Some("https://otlp.example/custom".to_owned());
        let own = OtelArgs { otel_exporter_otlp_traces_endpoint: own, ..args("http://collector:4318") };
        assert_eq!(own.read("n").unwrap().target.unwrap().url.as_str(), "https://otlp.example/custom");
        for (endpoint, words) in [
            ("collector:4318", "no http URL"),
            ("grpc://collector", "no http URL"),
            ("collector", "not a URL"),
            ("https://me:hush@collector", "OTEL_EXPORTER_OTLP_HEADERS"),
        ] {
            let told = args(endpoint).read("n").unwrap_err().to_string();
            assert!(told.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: ") && told.contains(words), "{told}");
            assert!(!told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn headers_are_a_secret_and_are_decoded() {
        let with = |told: &str| OtelArgs { otel_exporter_otlp_headers: Some(told.to_owned()), ..args("http://c:4318") };
        let read = with("Authorization=Basic%20aHVzaA==, x-scope=a%2Cb").read("n").unwrap();
        let shown: Vec<(&str, &str)> =
            read.target.as_ref().unwrap().headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        assert_eq!(shown, [("authorization", "Basic aHVzaA=="), ("x-scope", "a,b")]);
        assert!(!format!("{read:?}").contains("aHVzaA"));
        for told in ["hush", "a b=hush", "x=hush%0Ahush", "x=hush%2", "x=hush%zz"] {
            let told = with(told).read("n").unwrap_err().to_string();
            assert!(told.starts_with("OTEL_EXPORTER_OTLP_HEADERS: ") && !told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn what_the_specification_calls_no_error_is_none_and_is_told() {
        let with = |sampler: &str, arg: Option<&str>| {
            let (sampler, arg) = (sampler.to_owned(), arg.map(str::to_owned));
            let args = OtelArgs { otel_traces_sampler: sampler, otel_traces_sampler_arg: arg, ..args("http://c:4318") };
            let read = args.read("n").unwrap();
            (read.target.unwrap().sampler, read.odd.len())
        };
        assert_eq!(with("", None), (Sampler::AlwaysOn, 0));
        assert_eq!(with("parentbased_always_off", None), (Sampler::AlwaysOff, 0));
        assert_eq!(with("parentbased_traceidratio", Some("0.25")), (Sampler::Ratio(0.25), 0));
        assert_eq!(with("traceidratio", None), (Sampler::Ratio(1.0), 0));
        for odd in ["2", "-1", "NaN", "half"] {
            assert_eq!(with("traceidratio", Some(odd)), (Sampler::Ratio(1.0), 1), "{odd}");
        }
        assert_eq!(with("jaeger_remote", None), (Sampler::AlwaysOn, 1));
        let grpc = OtelArgs { otel_exporter_otlp_protocol: Some("grpc".to_owned()), ..args("http://c:4317") };
        assert!(grpc.read("n").unwrap().odd[0].contains("4318"));
    }

    #[test]
    fn a_gateway_says_who_it_is() {
        let told = "service.name=other,service.instance.id=x,deployment.environment.name=st%61ging,junk";
        let with = |name: &str| OtelArgs {
            otel_service_name: name.to_owned(),
            otel_resource_attributes: Some(told.to_owned()),
            ..args("http://c:4318")
        };
        let resource = with("phones").read("node-1").unwrap().target.unwrap().resource;
        let shown: Vec<(&str, &str)> = resource.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let version = ("service.version", env!("CARGO_PKG_VERSION"));
        let rest = [version, ("service.instance.id", "node-1"), ("deployment.environment.name", "staging")];
        assert_eq!(shown[0], ("service.name", "phones"));
        assert_eq!(shown[1..], rest);
        assert_eq!(with(SERVICE_NAME).read("n").unwrap().target.unwrap().resource[0].1, "other");
    }
}
