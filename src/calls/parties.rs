//! Who called whom.

use protocol::exotel::normalise_number;
use protocol::ids::PhoneNumber;

use crate::store::Parties;

/// Who called whom, in both spellings.
pub(crate) fn parties(
    from: Option<PhoneNumber>,
    to: Option<PhoneNumber>,
    direction: Option<String>,
    region: &str,
) -> Parties {
    let e164 = |raw: &Option<PhoneNumber>| {
        raw.as_ref().and_then(|raw| normalise_number(raw.reveal(), region)).map(PhoneNumber::new)
    };
    Parties { from: e164(&from), from_raw: from, to: e164(&to), to_raw: to, direction }
}
