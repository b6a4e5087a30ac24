//! The documents and numbers of clients whose calls come in: each is read and parsed once for each version of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::ids::PhoneNumber;

use super::file::Document;
use super::record::parsed;
use crate::store::{Client, Store, StoreError};

/// Bytes of documents that are kept, as they are on record.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Clients whose documents are kept; one without any counts too.
const MOST_CLIENTS: usize = 10_000;

/// See the module.
pub struct Documents {
    store: Store,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_client: std::collections::HashMap<i64, Held>,
    /// Clients, those whose documents were read first at the front.
    order: VecDeque<i64>,
    bytes: usize,
}

#[derive(Clone)]
struct Held {
    version: i32,
    document: Arc<Document>,
    /// All of the client's numbers.
    lines: Arc<[PhoneNumber]>,
    bytes: usize,
}

impl Documents {
    /// Of the clients of a database.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, kept: Mutex::default() }
    }

    /// The document of a client whose row was read just now.
    ///
    /// # Errors
    /// When it has to be read, and the database fails.
    pub async fn of(&self, client: &Client) -> Result<Arc<Document>, StoreError> {
        // Nothing was ever applied to it.
        if client.version == 0 {
            return Ok(Arc::default());
        }
        Ok(self.held(client).await?.document)
    }

    /// All numbers of a client whose row was read just now, the one that it is known by first.
    ///
    /// # Errors
    /// When they have to be read, and the database fails.
    pub async fn lines(&self, client: &Client) -> Result<Arc<[PhoneNumber]>, StoreError> {
        if client.version == 0 {
            return Ok(Arc::new([client.exotel_number.clone()]));
        }
        Ok(self.held(client).await?.lines)
    }

    async fn held(&self, client: &Client) -> Result<Held, StoreError> {
        if let Some(held) = self.kept().get(client.id, client.version) {
            return Ok(held);
        }
        let (version, text) = self.store.document_of_client(client.id).await?.unwrap_or_default();
        let lines = self.store.numbers_of_client(client.id).await?.into();
        let text = text.unwrap_or_default();
        let document = if text.is_empty() { Arc::default() } else { Arc::new(parsed(&text)) };
        let held = Held { version, document, lines, bytes: text.len() };
        self.kept().put(client.id, held.clone());
        Ok(held)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&self, client: i64, version: i32) -> Option<Held> {
        self.by_client.get(&client).filter(|held| held.version == version).cloned()
    }

    fn put(&mut self, client: i64, held: Held) {
        self.bytes += held.bytes;
        match self.by_client.insert(client, held) {
            Some(before) => self.bytes -= before.bytes,
            None => self.order.push_back(client),
        }
        while self.bytes > MOST_BYTES || self.order.len() > MOST_CLIENTS {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.by_client.remove(&oldest) {
                self.bytes -= gone.bytes;
                metrics::counter!("callgate_agents_forgotten_total").increment(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{OnRecord, Plan, Rules, read_json};
    use crate::outgoing::PrivateHosts;
    use crate::store::tests::{TempDb, new_client};

    #[actix_rt::test]
    async fn a_document_is_parsed_once_for_each_version_and_the_one_in_force_is_had_at_once() {
        let db = TempDb::new();
        let store = db.store().await;
        let documents = Documents::new(store.clone());
        let client = store.add_client(new_client("+918047112233")).await.unwrap();
        assert!(documents.of(&client).await.unwrap().is_empty());
        let private = PrivateHosts::default();
        let apply = async |description: &str| {
            let client = store.client(client.id).await.unwrap().unwrap();
            let stands = OnRecord::of(&store, client).await.unwrap();
            let mut told = serde_json::to_value(stands.file()).unwrap();
            told["tools"] =
                serde_json::json!([{ "name": "book", "description": description, "url": "https://a.example/" }]);
            let file = read_json(&told, Rules { private: &private, folder: None }).unwrap();
            Plan::over(stands, file).carry_out(&store, &private).await.unwrap().client
        };
        let client = apply("Books.").await;
        let (one, same) = (documents.of(&client).await.unwrap(), documents.of(&client).await.unwrap());
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(one.tools[0].description, "Books.");
        let client = apply("Books a slot.").await;
        assert_eq!(documents.of(&client).await.unwrap().tools[0].description, "Books a slot.");
    }

    #[actix_rt::test]
    async fn functions_that_an_earlier_version_kept_are_found_and_dropped_when_a_file_is_applied() {
        let db = TempDb::new();
        let store = db.store().await;
        let mut new = new_client("+918047112233");
        new.agent.tools = "[{\"name\":\"old\"}]".to_owned();
        let client = store.add_client(new).await.unwrap();
        assert_eq!(store.clients_with_old_tools().await.unwrap(), ["Acme"]);
        let stands = OnRecord::of(&store, client).await.unwrap();
        let plan = Plan::over(stands.clone(), stands.file());
        let told: Vec<String> = plan.changes().iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].starts_with("- tools"), "{told:?}");
        let applied = plan.carry_out(&store, &PrivateHosts::default()).await.unwrap();
        assert_eq!(applied.client.agent.tools, "[]");
        assert!(store.clients_with_old_tools().await.unwrap().is_empty());
    }

    #[test]
    fn the_documents_of_many_clients_stay_within_their_bound() {
        let mut kept = Kept::default();
        let held = |version, bytes| Held { version, document: Arc::default(), lines: Arc::new([]), bytes };
        for client in 0..2_000 {
            kept.put(client, held(1, 256 * 1024));
            kept.put(client, held(2, 256 * 1024));
        }
        assert!(kept.bytes <= MOST_BYTES, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.by_client.values().map(|held| held.bytes).sum::<usize>());
        assert!(kept.get(1_999, 2).is_some() && kept.get(1_999, 1).is_none() && kept.get(0, 2).is_none());
        for client in 0..20_000 {
            kept.put(client, held(1, 0));
        }
        assert!(kept.by_client.len() <= MOST_CLIENTS && kept.order.len() == kept.by_client.len());
    }
}
