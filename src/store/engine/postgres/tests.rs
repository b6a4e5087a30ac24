use crate::store::tests::database::{Cluster, Database, shared};
use crate::store::{DatabaseUrl, DatabaseUrlError, Store, StoreError};

mod on_postgres {
    use super::*;

    /// Opens a database of the shared server with more in its URL.
    async fn opened(change: impl FnOnce(&str) -> String) -> Result<bool, StoreError> {
        let database = Database::postgres();
        let url: DatabaseUrl = change(&database.url).parse().unwrap();
        let store = Store::open(&url).await?;
        store.ping().await?;
        Ok(store.is_encrypted().await)
    }

    async fn with(parameters: &str) -> Result<bool, StoreError> {
        opened(|url| format!("{url}?{parameters}")).await
    }

    #[tokio::test]
    async fn a_connection_is_encrypted_when_that_is_asked_for_or_offered() {
        let ca = &shared().ca;
        assert!(!with("sslmode=disable").await.unwrap());
        for parameters in ["", "sslmode=prefer", "sslmode=require"] {
            assert!(with(parameters).await.unwrap(), "{parameters}");
        }
        for mode in ["require", "verify-ca", "verify-full"] {
            assert!(with(&format!("sslmode={mode}&sslrootcert={ca}")).await.unwrap(), "{mode}");
        }
    }

    #[tokio::test]
    async fn a_certificate_of_an_unknown_authority_is_refused_with_the_mend() {
        for parameters in ["sslmode=verify-full", "sslmode=verify-ca", "sslmode=verify-full&sslrootcert=system"] {
            let error = with(parameters).await.unwrap_err();
            assert!(error.is_away() && error.to_string().contains("sslrootcert=FILE"), "{parameters}: {error}");
        }
        let other = Cluster::start();
        let theirs = format!("sslmode=require&sslrootcert={}", other.ca);
        let error = with(&theirs).await.unwrap_err();
        assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_refused_unless_any_name_will_do() {
        let ca = &shared().ca;
        // Loopback has more addresses than the one in the certificate, but the server listens on that one only.
        let elsewhere = |mode: &str| {
            let query = format!("sslmode={mode}&sslrootcert={ca}&hostaddr=127.0.0.1");
            move |url: &str| format!("{}?{query}", url.replace("localhost", "db.example.org"))
        };
        let error = opened(elsewhere("verify-full")).await.unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
        assert!(error.to_string().contains("use the name in the certificate"), "{error}");
        assert!(opened(elsewhere("verify-ca")).await.unwrap());
    }

    #[tokio::test]
    async fn a_server_without_tls_is_refused_where_tls_is_required_and_used_where_it_is_preferred() {
        let plain = Cluster::start_with(&[("NO_TLS", "1")]);
        let database = Database::on(&plain.url);
        let open = async |mode: &str| {
            let url: DatabaseUrl = format!("{}?sslmode={mode}", database.url).parse().unwrap();
            Store::open(&url).await
        };
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = open(mode).await.map(|_| ()).unwrap_err();
            assert!(error.is_away() && error.to_string().contains("does not support TLS"), "{mode}: {error}");
        }
        assert!(!open("prefer").await.unwrap().is_encrypted().await);
    }

    #[tokio::test]
    async fn an_authority_that_cannot_be_read_is_named() {
        for (file, told) in [("/nowhere/ca.pem", "/nowhere/ca.pem"), ("/dev/null", "no certificate in it")] {
            let error = with(&format!("sslmode=verify-full&sslrootcert={file}")).await.unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_or_lets_nobody_in_is_away_within_seconds() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let begun = std::time::Instant::now();
        for url in [format!("postgres://me@127.0.0.1:{port}/x"), "postgres://me@127.0.0.1:1/x".to_owned()] {
            let error = Store::open(&url.parse().unwrap()).await.map(|_| ()).unwrap_err();
            assert!(error.is_away(), "{error}");
        }
        assert!(begun.elapsed() < 2 * crate::store::engine::postgres::CONNECT, "{:?}", begun.elapsed());
    }
}

#[test]
fn a_url_that_cannot_be_understood_says_what_is_wrong_with_it() {
    let error = |text: &str| text.parse::<DatabaseUrl>().unwrap_err();
    assert_eq!(error("postgres://host/db?sslmode=maybe"), DatabaseUrlError::SslMode);
    assert_eq!(error("postgres://host/db?sslmode=allow"), DatabaseUrlError::SslMode);
    assert_eq!(error("postgres://host/db?colour=blue"), DatabaseUrlError::Parameters);
    assert_eq!(error("postgres://host/db?connect_timeout=soon"), DatabaseUrlError::Parameters);
    assert_eq!(error("postgres://host:port/db"), DatabaseUrlError::Postgres);
    for fine in [
        "postgres:///db?host=/run/postgresql",
        "postgresql://me:p%40ss+word@h/db?sslmode=verify-full&sslrootcert=/a%20b.pem&application_name=x",
        "postgres://h1:1,h2:2/db?target_session_attrs=read-write",
    ] {
        fine.parse::<DatabaseUrl>().unwrap();
    }
}

#[test]
fn a_password_reaches_the_server_as_it_was_meant() {
    let target = super::Target::parse("postgres://me:p%40ss+word@h/db?sslmode=require").unwrap();
    assert_eq!(target.config.get_password(), Some(&b"p@ss+word"[..]));
}
