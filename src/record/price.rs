//! What a call costs, as far as it can be known: the models' public list prices.

use crate::store::Tokens;

/// Prices of one model, US dollars for a million tokens.
struct Price {
    /// Of models whose name begins so; the longest such prefix counts.
    prefix: &'static str,
    text_in: f64,
    cached_text: f64,
    text_out: f64,
    audio_in: f64,
    cached_audio: f64,
    audio_out: f64,
}

/// Checked against the price pages of November 2026; an estimate, not a bill.
const PRICES: [Price; 3] = [
    Price {
        prefix: "gpt-realtime",
        text_in: 4.0,
        cached_text: 0.4,
        text_out: 16.0,
        audio_in: 32.0,
        cached_audio: 0.4,
        audio_out: 64.0,
    },
    Price {
        prefix: "gpt-realtime-2",
        text_in: 4.0,
        cached_text: 0.4,
        text_out: 24.0,
        audio_in: 32.0,
        cached_audio: 0.4,
        audio_out: 64.0,
    },
    Price {
        prefix: "gpt-realtime-2.1-mini",
        text_in: 0.6,
        cached_text: 0.06,
        text_out: 2.4,
        audio_in: 10.0,
        cached_audio: 0.3,
        audio_out: 20.0,
    },
];

/// The estimated cost in millionths of a US dollar; none for a model whose prices are not known.
pub(super) fn microusd(model: &str, tokens: &Tokens) -> Option<i64> {
    let price = PRICES.iter().filter(|price| model.starts_with(price.prefix)).max_by_key(|price| price.prefix.len())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_cost_the_cached_price_and_the_longest_name_counts() {
        let minute = Tokens { input_audio: 600, cached_audio: 100, output_audio: 1200, ..Tokens::default() };
        assert_eq!(microusd("gpt-realtime-2.1", &minute), Some(500 * 32 + 40 + 1200 * 64));
        assert_eq!(microusd("gpt-realtime-2.1-mini", &minute), Some(500 * 10 + 30 + 1200 * 20));
        let words = Tokens { output_text: 10, ..Tokens::default() };
        assert_eq!(microusd("gpt-realtime-1.5", &words), Some(160));
        assert_eq!(microusd("gpt-realtime-2", &words), Some(240));
        assert_eq!(microusd("somebody-elses", &words), None);
    }
}
