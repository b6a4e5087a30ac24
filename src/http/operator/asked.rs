//! What the query string of a request asks for.

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};
use protocol::call::end::EndCode;
use protocol::exotel::status::STATUSES;
use protocol::exotel::webhook::Fields;

use super::{Refused, malformed};
use crate::json_schema::Field;

/// Rows of a page unless asked otherwise, and at most.
pub(in crate::http) const LISTED: i64 = 50;
pub(in crate::http) const MOST_LISTED: i64 = 500;

/// What the query string of a list asks for.
pub(super) struct Asked(Fields);

impl Asked {
    /// What is asked for; a parameter that is not among the known ones would go unheeded, and what is answered not be what was asked.
    pub(super) fn of(request: &HttpRequest, known: &[Field]) -> Result<Self, Refused> {
        let fields = Fields::from_urlencoded(request.query_string().as_bytes());
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
        if let Some(unknown) = names.iter().find(|name| !known.iter().any(|known| known.name == **name)) {
            let takes =
                if known.is_empty() { "there are none here".to_owned() } else { format!("give {}", names_of(known)) };
            return Err(Refused::UnknownParameter(unknown.chars().take(64).collect(), takes));
        }
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Refused::UnknownParameter(twice[1].to_owned(), "it was given before: give it once".to_owned()));
        }
        Ok(Self(fields))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(str::trim)
    }

    pub(super) fn limit(&self) -> Result<i64, Refused> {
        let limit = self.text("limit").map_or(Some(LISTED), |limit| limit.parse().ok());
        let limit = limit.filter(|limit| (1..=MOST_LISTED).contains(limit));
        limit.ok_or_else(|| malformed("limit", &format!("a number from 1 to {MOST_LISTED}")))
    }

    /// `next` of the page before.
    pub(super) fn cursor(&self) -> Result<Option<i64>, Refused> {
        let cursor = self.text("after").map(str::parse).transpose();
        cursor.map_err(|_| malformed("after", "give the `next` of the page before"))
    }

    /// A time in any of the forms of [`crate::time::read`]. A `+` that was not escaped comes as a space.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, Refused> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let at = crate::time::read(&text.replace(' ', "+"), Utc::now());
        at.map(Some).ok_or_else(|| malformed(name, crate::time::FORMS))
    }

    /// `true` or `false`, which is also what it is where nothing is said.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Refused> {
        let flag = self.text(name).map_or(Some(false), |text| text.parse().ok());
        flag.ok_or_else(|| malformed(name, "true or false"))
    }

    /// So many ms.
    pub(super) fn millis(&self, name: &'static str) -> Result<Option<i64>, Refused> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let ms = text.parse().ok().filter(|ms| *ms > 0);
        ms.map(Some).ok_or_else(|| malformed(name, "a number of ms, at least 1"))
    }

    /// One of the codes that ends have.
    pub(super) fn ended(&self) -> Result<Option<EndCode>, Refused> {
        let Some(name) = self.text("ended") else { return Ok(None) };
        EndCode::known(name).map(Some).ok_or_else(|| malformed("ended", &format!("one of {}", EndCode::names())))
    }

    /// One of the statuses that calls have.
    pub(super) fn status(&self) -> Result<Option<String>, Refused> {
        let Some(status) = self.text("status") else { return Ok(None) };
        if STATUSES.contains(&status) {
            return Ok(Some(status.to_owned()));
        }
        let live = if status == "live" { " (live=true for calls that are)" } else { "" };
        Err(malformed("status", &format!("one of {}{live}", STATUSES.join(", "))))
    }
}

fn names_of(parameters: &[Field]) -> String {
    parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ")
}
