//! URLs as they may be shown: whoever reads an error has no business with the credentials in it.

/// A URL, or what was meant as one, without user, password, query and fragment.
pub(crate) fn url(text: &str) -> String {
    // A password may hold anything but the `@` behind it: what stands before the last one goes, whatever it looks like.
    let (before, after) = text.rsplit_once('@').map_or(("", text), |(before, after)| (before, after));
    let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
    let end = after.find(['?', '#']).unwrap_or(after.len());
    let hidden = if after.len() < text.len() { "…@" } else { "" };
    format!("{scheme}{hidden}{}{}", &after[..end], if end < after.len() { "?…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_queries_are_not_shown_and_the_rest_is() {
        for (text, shown) in [
            ("wss://api.openai.com/v1/realtime", "wss://api.openai.com/v1/realtime"),
            ("https://me:hush@x.example/a", "https://…@x.example/a"),
            ("https://hush@x.example/a?b=hush#hush", "https://…@x.example/a?…"),
            ("wss://x.example/?api-key=hush", "wss://x.example/?…"),
            ("x.example#hush", "x.example?…"),
            ("me:hu?sh#hush/hu@sh@x.example", "…@x.example"),
            ("postgres:/me:hush@db/x", "…@db/x"),
            ("wss://x.example/?mail=hush@hush", "wss://…@hush"),
            ("", ""),
        ] {
            assert_eq!(url(text), shown);
        }
    }
}
