//! What stands around a number: quotation marks, a display name, a SIP or telephone address.

/// A text taken apart.
pub(super) struct Address<'t> {
    /// The name before `<…>`, or nothing.
    pub(super) display: &'t str,
    /// Who is named: the whole text when it is no address.
    pub(super) user: &'t str,
    /// At which host, of a SIP address.
    pub(super) host: &'t str,
    /// What a local number of a telephone address belongs to.
    pub(super) context: Option<&'t str>,
}

impl<'t> Address<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        // Behind a display name the address stands in `<>`.
        let (display, inner) = text.rsplit_once('<').unwrap_or(("", text));
        let Some(rest) = without_scheme(inner.trim_start_matches([' ', '"'])) else {
            // Its first space may be a plus.
            let bare = text.trim_matches(|mark: char| mark.is_whitespace() || mark == '"');
            return Self { display: "", user: bare, host: "", context: None };
        };
        let address = &rest[..rest.find(['>', '?', '"']).unwrap_or(rest.len())];
        let (user, host) = address.split_once('@').unwrap_or((address, ""));
        // Behind the user its parameters, or a password.
        let (user, parameters) = user.split_at(user.find([';', ':']).unwrap_or(user.len()));
        let context = parameters.split(';').find_map(|parameter| parameter.strip_prefix("phone-context="));
        let host = &host[..host.find([';', ':']).unwrap_or(host.len())];
        Self { display: display.trim().trim_matches('"').trim(), user: user.trim(), host, context }
    }
}

/// Who is named by a SIP or telephone address. None for a text that is no such address.
pub(crate) fn user_of(text: &str) -> Option<&str> {
    let address = Address::of(text);
    (address.user.len() < text.trim().len() && !address.user.is_empty()).then_some(address.user)
}

fn without_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) =
        text.get(..5).unwrap_or(text).split_once(':').map(|(scheme, _)| text.split_at(scheme.len()))?;
    let known = ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    known.then_some(&rest[1..])
}
