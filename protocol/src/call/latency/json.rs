//! A latency as it is written down, and told by the API.

use serde_json::{Map, Value, json};

use super::{Awaited, Latency, Owner, Part, Parts, Settings};
use crate::ids::ItemId;

impl Latency {
    /// All of it, with what follows from it: how long it was, whether that is slow, its largest part and whose that is.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let parts: Map<String, Value> =
            self.parts.spans().map(|(part, _, ms)| (part.name().to_owned(), ms.into())).collect();
        let (part, owner) = self.largest().unzip();
        json!({
            "of": self.of.name(),
            "item": self.item.as_str(),
            "from_ms": self.from_ms,
            "ms": self.whole_ms(),
            "parts": parts,
            "heard": self.heard,
            "network_ms": self.network_ms,
            "carrier_echo_ms": self.carrier_echo_ms,
            "asked": self.asked,
            "stalled": self.stalled,
            "endpointing_ms": self.settings.endpointing_ms,
            "semantic": self.settings.semantic,
            "confirmed": self.settings.confirmed,
            "slow": self.is_slow(),
            "largest": part.map(Part::name),
            "owner": owner.map(Owner::name),
            "setting": owner.and_then(Owner::setting),
        })
    }

    /// What that says; none of what is no latency. What follows from the rest is found anew.
    #[must_use]
    pub fn from_json(told: &Value) -> Option<Self> {
        let number = |name: &str| told[name].as_u64();
        let small = |name: &str| number(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let holds = |name: &str| told[name] == true;
        let parts = told["parts"].as_object()?.iter();
        Some(Self {
            of: Awaited::from_name(told["of"].as_str()?)?,
            item: ItemId::new(told["item"].as_str()?),
            from_ms: number("from_ms")?,
            parts: Parts::new(parts.filter_map(|(name, ms)| Part::from_name(name).zip(ms.as_u64()))),
            heard: holds("heard"),
            network_ms: number("network_ms"),
            carrier_echo_ms: number("carrier_echo_ms"),
            asked: small("asked"),
            stalled: holds("stalled"),
            settings: Settings {
                endpointing_ms: small("endpointing_ms"),
                semantic: holds("semantic"),
                confirmed: holds("confirmed"),
            },
        })
    }
}
