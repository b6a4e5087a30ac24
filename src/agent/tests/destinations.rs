//! Where a file may hand callers on to.

use super::{mistakes, read, rules};
use crate::agent::{ApplyError, OnRecord, Plan, read_json};
use crate::outgoing::PrivateHosts;
use crate::store::tests::{TempDb, new_client};

const HEAD: &str = "name = \"A\"\nnumbers = [\"08047112233\"]\n";

#[test]
fn destinations_are_kept_in_one_spelling_and_a_file_tells_them_again() {
    let file = read(&format!(
        "{HEAD}[destinations.desk]\nto = \"080-4711 2299\"\ncaller_id = \"08047112233\"\n\n[destinations.pbx]\nto = \"sip:desk@10.0.0.1:5070\"\n"
    ))
    .unwrap();
    let desk = &file.transfers.destinations["desk"];
    assert_eq!(
        (desk.to.as_str(), desk.caller_id.as_deref(), desk.ring_secs),
        ("+918047112299", Some("+918047112233"), 45)
    );
    assert!(desk.is_number() && !file.transfers.destinations["pbx"].is_number());
    assert_eq!(read(&file.to_toml().unwrap()).unwrap(), file);
}

#[test]
fn a_destination_that_nobody_can_be_sent_to_is_told_with_line_key_and_mend() {
    let told = mistakes(&format!(
        "{HEAD}[hours]\nopen = [\"Mon-Fri 09:00-18:00\"]\nto = \"day_desk\"\n[failure]\nto = \"nobody\"\n\
         [destinations.loop]\nto = \"+91 80 4711 2233\"\n\
         [destinations.odd]\nto = \"front desk\"\nring_secs = 2\n\
         [destinations.day_desk]\nto = \"08047112299\"\nhours = [\"Mon-Fri 10:00-17:00\"]\ncaller_id = \"+918047112299\"\n\
         [destinations.shut]\nto = \"sip:desk\"\nhours = []\n\
         [destinations.\"the desk\"]\nto = \"08047112299\"\n"
    ));
    let expected = [
        "line 5: hours.to is day_desk, which is closed whenever the agent is: name one that is open then",
        "line 7: failure.to is nobody, which is no destination: there are day_desk, loop, odd, shut",
        "line 9: destinations.loop.to is a number of this client's own",
        "line 11: destinations.odd.to is neither a phone number nor a SIP address: give",
        "line 12: destinations.odd.ring_secs must be a whole number from 5 to 120",
        "line 16: destinations.day_desk.caller_id is the number that is called",
        "line 19: destinations.shut.hours is empty, so that nobody is ever there",
        "line 20: destinations.the desk is no name of a destination",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    let told = mistakes(&format!("{HEAD}[failure]\nto = \"desk\"\n"));
    assert_eq!(told, ["line 4: failure.to is desk, which is no destination: add [destinations.desk], or leave it out"]);
    let told = mistakes(&format!(
        "{HEAD}[hours]\nopen = [\"Mon-Sun 00:00-24:00\"]\nto = \"desk\"\n[destinations.desk]\nto = \"08047112299\"\n"
    ));
    assert!(told.len() == 1 && told[0].starts_with("line 5: hours.to is never taken"), "{told:?}");
    let told = mistakes(&format!("{HEAD}[destinations.desk]\nwhen = \"A.\"\n"));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("line 3: destinations.desk.to is missing"), "{told:?}");
}

#[test]
fn a_night_desk_that_overlaps_the_agents_hours_is_open_outside_of_them() {
    let file = |hours: &str| {
        format!(
            "{HEAD}[hours]\nopen = [\"Mon-Fri 09:00-18:00\"]\nto = \"night\"\n[destinations.night]\nto = \"08047112299\"\nhours = [\"{hours}\"]\n"
        )
    };
    assert!(read(&file("Mon-Fri 17:00-21:00")).is_ok());
    assert!(read(&file("Sat 09:00-10:00")).is_ok());
    assert_eq!(mistakes(&file("Tue,Thu 10:00-18:00")).len(), 1);
}

#[actix_rt::test]
async fn a_destination_that_is_a_number_of_any_clients_is_refused_when_the_file_is_applied() {
    let db = TempDb::new();
    let store = db.store().await;
    store.add_client(new_client("+918047112255")).await.unwrap();
    let own = store.add_client(new_client("+918047112244")).await.unwrap();
    let private = PrivateHosts::default();
    for (number, to, said) in [
        ("08047112233", "08047112255", Some("destinations.desk.to is the number of the client `Acme`")),
        ("08047112233", "08047112299", None),
    ] {
        let text = format!("name = \"A\"\nnumbers = [\"{number}\"]\n[destinations.desk]\nto = \"{to}\"\n");
        match (Plan::new(&store, read(&text).unwrap()).await, said) {
            (Ok(plan), None) => drop(plan.carry_out(&store, &private).await.unwrap()),
            (Err(error @ ApplyError::OurNumber { .. }), Some(said)) => {
                assert!(error.to_string().starts_with(said), "{error}")
            }
            (other, _) => panic!("{other:?}"),
        }
    }
    // A number that the client gives up with the file is still one that calls come in by.
    let stands = OnRecord::of(&store, own).await.unwrap();
    let told = serde_json::json!({ "name": "B", "numbers": ["+918047112277"], "destinations": { "desk": { "to": "+918047112244" } } });
    let plan = Plan::over(stands, read_json(&told, rules(&private)).unwrap());
    let refused = plan.carry_out(&store, &private).await.unwrap_err().to_string();
    assert!(refused.starts_with("destinations.desk.to is the number of this client, whose calls"), "{refused}");
}
