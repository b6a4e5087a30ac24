//! What a call costs, as far as it can be known: the models' public list prices, or those of `PRICES`.

use std::collections::BTreeMap;

use protocol::realtime::event::Usage;
use serde::Deserialize;

use super::fold::add;
use crate::store::Tokens;

/// The usual model: calls whose client names none speak with it, and are priced as it, unless `REALTIME_MODEL` says otherwise.
pub(crate) const DEFAULT_MODEL: &str = "gpt-realtime-2.1";

/// Prices by the beginning of a model's name; the longest that fits counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices(BTreeMap<String, Price>);

/// Prices of one model, US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    text_in: f64,
    cached_text: f64,
    text_out: f64,
    audio_in: f64,
    cached_audio: f64,
    audio_out: f64,
}

/// Prices that cannot be used. Says what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not JSON, or not the right one.
    #[error(
        "is no table of prices ({0}): write {{\"MODEL\":{{\"text_in\":4,\"cached_text\":0.4,\"text_out\":24,\"audio_in\":32,\"cached_audio\":0.4,\"audio_out\":64}}}}"
    )]
    Malformed(String),
    /// No model in it.
    #[error("names no model: leave it away for OpenAI's list prices")]
    Empty,
    /// Less than nothing, or beyond all bounds.
    #[error("{0}: a price is a number of US dollars for a million tokens, 0 or more")]
    Price(String),
    /// A file that is not there.
    #[error("the file {0} cannot be read ({1}): give JSON, or the path of a file that holds it")]
    File(String, std::io::ErrorKind),
}

/// No token costs as much as a dollar: a million of them is a slip of the pen.
const DEAREST: f64 = 1_000_000.0;

impl Default for Prices {
    /// Checked against the price pages of November 2026; an estimate, not a bill.
    fn default() -> Self {
        let price = |text_in, cached_text, text_out, audio_in, cached_audio, audio_out| Price {
            text_in,
            cached_text,
            text_out,
            audio_in,
            cached_audio,
            audio_out,
        };
        let list = [
            ("gpt-realtime", price(4.0, 0.4, 16.0, 32.0, 0.4, 64.0)),
            ("gpt-realtime-2", price(4.0, 0.4, 24.0, 32.0, 0.4, 64.0)),
            ("gpt-realtime-2.1-mini", price(0.6, 0.06, 2.4, 10.0, 0.3, 20.0)),
        ];
        Self(list.map(|(prefix, price)| (prefix.to_owned(), price)).into())
    }
}

impl Prices {
    /// A table as `PRICES` holds it: JSON, or the path of a file with it. It replaces the list prices altogether.
    ///
    /// # Errors
    /// Says what is wrong and how to mend it.
    pub fn read(text: &str) -> Result<Self, PriceError> {
        if text.trim_start().starts_with(['{', '[', '"']) {
            return Self::parse(text);
        }
        let read = std::fs::read_to_string(text);
        Self::parse(&read.map_err(|error| PriceError::File(crate::redact::url(text), error.kind()))?)
    }

    fn parse(json: &str) -> Result<Self, PriceError> {
        let table: BTreeMap<String, Price> =
            serde_json::from_str(json).map_err(|error| PriceError::Malformed(error.to_string()))?;
        if table.is_empty() {
            return Err(PriceError::Empty);
        }
        for (model, price) in &table {
            let Price { text_in, cached_text, text_out, audio_in, cached_audio, audio_out } = *price;
            let all = [text_in, cached_text, text_out, audio_in, cached_audio, audio_out];
            if model.trim().is_empty() || !all.iter().all(|price| (0.0..=DEAREST).contains(price)) {
                return Err(PriceError::Price(format!("`{model}`")));
            }
        }
        Ok(Self(table))
    }

    /// The estimated cost in millionths of a US dollar; none for a model whose prices are not known.
    pub(super) fn microusd(&self, model: &str, tokens: &Tokens) -> Option<i64> {
        let known = self.0.iter().filter(|(prefix, _)| model.starts_with(prefix.as_str()));
        let (_, price) = known.max_by_key(|(prefix, _)| prefix.len())?;
        // Dollars for a million tokens are millionths of a dollar for one.
        let cost = |tokens: u64, price: f64| tokens as f64 * price;
        let total = cost(tokens.input_text.saturating_sub(tokens.cached_text), price.text_in)
            + cost(tokens.cached_text, price.cached_text)
            + cost(tokens.input_audio.saturating_sub(tokens.cached_audio), price.audio_in)
            + cost(tokens.cached_audio, price.cached_audio)
            + cost(tokens.output_text, price.text_out)
            + cost(tokens.output_audio, price.audio_out);
        Some(total.round() as i64)
    }

    /// The same of one response, as the model counts.
    #[must_use]
    pub fn microusd_of(&self, model: &str, usage: &Usage) -> Option<u64> {
        let mut tokens = Tokens::default();
        add(&mut tokens, usage);
        self.microusd(model, &tokens).and_then(|cost| u64::try_from(cost).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_cost_the_cached_price_and_the_longest_name_counts() {
        let prices = Prices::default();
        let minute = Tokens { input_audio: 600, cached_audio: 100, output_audio: 1200, ..Tokens::default() };
        assert_eq!(prices.microusd("gpt-realtime-2.1", &minute), Some(500 * 32 + 40 + 1200 * 64));
        assert_eq!(prices.microusd("gpt-realtime-2.1-mini", &minute), Some(500 * 10 + 30 + 1200 * 20));
        let words = Tokens { output_text: 10, ..Tokens::default() };
        assert_eq!(prices.microusd("gpt-realtime-1.5", &words), Some(160));
        assert_eq!(prices.microusd("gpt-realtime-2", &words), Some(240));
        assert_eq!(prices.microusd("somebody-elses", &words), None);
    }

    #[test]
    fn a_table_of_ones_own_replaces_the_list_prices() {
        let json =
            r#"{"own":{"text_in":1,"cached_text":0,"text_out":2.5,"audio_in":3,"cached_audio":0,"audio_out":4}}"#;
        let words = Tokens { output_text: 10, ..Tokens::default() };
        let file = std::env::temp_dir().join(format!("callgate-prices-{}.json", std::process::id()));
        std::fs::write(&file, json).unwrap();
        for prices in [Prices::read(json).unwrap(), Prices::read(&file.display().to_string()).unwrap()] {
            assert_eq!(prices.microusd("own-model-1", &words), Some(25));
            assert_eq!(prices.microusd("gpt-realtime", &words), None);
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn prices_that_cannot_be_used_are_refused_in_words() {
        let own = |price: &str| {
            format!(
                r#"{{"own":{{"text_in":{price},"cached_text":0,"text_out":2,"audio_in":3,"cached_audio":0,"audio_out":4}}}}"#
            )
        };
        assert!(Prices::read(&own("1")).is_ok());
        let said = |text: &str| Prices::read(text).unwrap_err().to_string();
        assert!(said("{}").contains("names no model"));
        assert!(said("{\"own\":{\"text_in\":1}}").contains("cached_text"));
        assert!(said(&own("1,\"text_inn\":2")).contains("text_inn"));
        assert!(said(&own("-1")).contains("0 or more"));
        assert!(said(&own("\"4\"")).contains("no table of prices"));
        assert!(said("[1]").contains("no table of prices"));
        assert!(said("/nowhere/prices.json").contains("cannot be read"));
    }
}
