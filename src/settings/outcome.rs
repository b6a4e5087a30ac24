//! The text model that finds out what came of calls.

#![allow(rustdoc::broken_intra_doc_links, reason = "these comments are the words of --help")]

use std::path::PathBuf;

use clap::Args;
use protocol::ids::Secret;
use url::Url;

use super::read::{Read, set};
use super::{SettingsError, SettingsErrors, files};
use crate::outcomes::{OUTCOME_MODEL, OUTCOME_URL, TextModel};
use crate::outgoing::PrivateHosts;
use crate::redact;

/// Where the completions are, below the base of an API.
const COMPLETIONS: &str = "/chat/completions";

/// `OUTCOME_URL` and what belongs to it, as words.
#[derive(Args, Clone, Debug, Default)]
pub struct OutcomeArgs {
    /// Text model that finds out what came of calls ([outcome] of an agent file): a server of the Chat Completions API, https://host/v1; https and public, or one of PRIVATE_HOSTS [default: OpenAI's, once OUTCOME_API_KEY is set].
    #[arg(long, env = "OUTCOME_URL", hide_env_values = true, value_name = "URL")]
    pub outcome_url: Option<String>,

    /// Its key; without it and OUTCOME_URL nothing is found out.
    #[arg(long, env = "OUTCOME_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub outcome_api_key: Option<String>,

    /// Its model; a client may name its own.
    #[arg(long, env = "OUTCOME_MODEL", hide_env_values = true, value_name = "MODEL", default_value = OUTCOME_MODEL)]
    pub outcome_model: String,

    /// A file that holds OUTCOME_API_KEY.
    #[arg(long, env = "OUTCOME_API_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub outcome_api_key_file: Option<PathBuf>,
}

impl OutcomeArgs {
    /// The text model, if there is one.
    ///
    /// # Errors
    /// When its URL is none or may not be asked, or its key is told twice or not to be read.
    pub(super) fn read(&self, private: &PrivateHosts) -> Result<Option<TextModel>, SettingsErrors> {
        let mut wrong = SettingsErrors::default();
        let held = files::held_instead("OUTCOME_API_KEY_FILE", &self.outcome_api_key_file, &self.outcome_api_key);
        let held = wrong.take(held).flatten();
        let key = held.as_deref().or_else(|| set(&self.outcome_api_key)).map(Secret::new);
        let url = match set(&self.outcome_url) {
            Some(told) => wrong.take(completions(told, private)),
            None => key.as_ref().and_then(|_| wrong.take(completions(OUTCOME_URL, private))),
        };
        let told = self.outcome_model.trim();
        let model = if told.is_empty() { OUTCOME_MODEL } else { told }.to_owned();
        wrong.or(Some(url.map(|url| TextModel { url, key, model })))
    }
}

/// The URL that is asked, of one that is told with or without its last part.
fn completions(told: &str, private: &PrivateHosts) -> Read<Url> {
    let wrong = |problem: String| SettingsError::new("OUTCOME_URL", problem);
    let (shown, mend) = (redact::url(told), "write it as https://host/v1");
    let mut url = Url::parse(told).map_err(|error| wrong(format!("`{shown}` is not a URL ({error}): {mend}")))?;
    if !url.path().ends_with(COMPLETIONS) {
        let path = format!("{}{COMPLETIONS}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    private
        .check(&url)
        .map_err(|why| wrong(format!("`{shown}` is not asked: {why}; {mend}, or list its host in PRIVATE_HOSTS")))?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: Option<&str>, key: Option<&str>, private: &str) -> Result<Option<(String, bool)>, String> {
        let told = OutcomeArgs {
            outcome_url: url.map(str::to_owned),
            outcome_api_key: key.map(str::to_owned),
            ..OutcomeArgs::default()
        };
        let read = told.read(&private.parse().unwrap()).map_err(|error| error.to_string())?;
        Ok(read.map(|model| (model.url.to_string(), model.key.is_some())))
    }

    #[test]
    fn a_key_or_a_url_turns_it_on_and_a_url_is_told_with_its_last_part_or_without() {
        assert_eq!(read(None, None, ""), Ok(None));
        assert_eq!(read(Some(" "), Some(""), ""), Ok(None));
        assert_eq!(read(None, Some("hush"), ""), Ok(Some((OUTCOME_URL.to_owned(), true))));
        let here = "http://127.0.0.1:8000/v1/chat/completions".to_owned();
        for url in
            ["http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/chat/completions"]
        {
            assert_eq!(read(Some(url), None, "127.0.0.1"), Ok(Some((here.clone(), false))), "{url}");
        }
        for (url, words) in [
            ("http://127.0.0.1:8000/v1", "PRIVATE_HOSTS"),
            ("http://models.example/v1", "PRIVATE_HOSTS"),
            ("models.example", "not a URL"),
            ("https://me:hush@models.example/v1", "credentials"),
        ] {
            let told = read(Some(url), None, "").unwrap_err();
            assert!(told.starts_with("OUTCOME_URL: ") && told.contains(words) && !told.contains("hush"), "{told}");
        }
    }
}
