//! What the writing thread promises.

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tokio::runtime::Handle;

use super::*;
use crate::store::tests::TempDb;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

async fn table(db: &TempDb) -> Sqlite {
    let sqlite = Sqlite::new(&db.0.display().to_string(), Handle::current()).unwrap();
    sqlite.write(|conn| run(conn, "CREATE TABLE kept (id INTEGER PRIMARY KEY)")).await.unwrap();
    sqlite
}

fn run(conn: &mut SqliteConnection, statement: &str) -> Result<(), StoreError> {
    sql_query(statement).execute(conn)?;
    Ok(())
}

async fn rows(sqlite: &Sqlite) -> i64 {
    let count = |conn: &mut SqliteConnection| {
        Ok(sql_query("SELECT count(*) AS rows FROM kept").get_result::<Count>(conn)?.rows)
    };
    sqlite.read(count).await.unwrap()
}

#[tokio::test]
async fn what_is_written_at_once_is_all_there_and_a_refusal_costs_only_the_refused() {
    let db = TempDb::new();
    let sqlite = table(&db).await;
    let asked: Vec<_> = (0..500)
        .map(|n| {
            let sqlite = sqlite.clone();
            // Every tenth asks for a row that is there, or comes, a second time.
            let id = if n % 10 == 9 { n - 1 } else { n };
            tokio::spawn(async move {
                sqlite.write(move |conn| run(conn, &format!("INSERT INTO kept VALUES ({id})"))).await
            })
        })
        .collect();
    let mut refused = 0;
    for asked in asked {
        match asked.await.unwrap() {
            Ok(()) => {}
            Err(StoreError::Refused(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((rows(&sqlite).await, refused), (450, 50));
}

#[tokio::test]
async fn what_is_refused_half_way_leaves_nothing_and_costs_the_others_nothing() {
    let db = TempDb::new();
    let sqlite = table(&db).await;
    let asked: Vec<_> = (0..200)
        .map(|n| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move {
                sqlite
                    .write(move |conn| {
                        run(conn, &format!("INSERT INTO kept VALUES ({n})"))?;
                        // Of every seventh the second half is refused.
                        let second = if n % 7 == 0 { n } else { 1000 + n };
                        run(conn, &format!("INSERT INTO kept VALUES ({second})"))
                    })
                    .await
                    .is_ok()
            })
        })
        .collect();
    for (n, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap(), n % 7 != 0, "{n}");
    }
    assert_eq!(rows(&sqlite).await, 2 * (200 - 29));
}

#[tokio::test]
async fn work_that_panics_is_answered_and_the_next_is_done() {
    let db = TempDb::new();
    let sqlite = table(&db).await;
    let error = sqlite.write(|_| -> Result<(), StoreError> { panic!("a fault of ours") }).await.unwrap_err();
    assert!(error.is_away(), "{error}");
    sqlite.write(|conn| run(conn, "INSERT INTO kept VALUES (1)")).await.unwrap();
    assert_eq!(rows(&sqlite).await, 1);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let db = TempDb::new();
    let sqlite = table(&db).await;
    let error = sqlite.read(|conn| run(conn, "INSERT INTO kept VALUES (1)")).await.unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
    assert_eq!(rows(&sqlite).await, 0);
}

#[tokio::test]
async fn a_file_that_is_removed_is_missed_at_once_and_welcome_back() {
    let db = TempDb::new();
    let sqlite = table(&db).await;
    let aside = db.0.with_extension("aside");
    std::fs::rename(&db.0, &aside).unwrap();
    for error in [
        sqlite.write(|conn| run(conn, "INSERT INTO kept VALUES (1)")).await.unwrap_err(),
        sqlite.write(|conn| run(conn, "INSERT INTO kept VALUES (1)")).await.unwrap_err(),
        sqlite.read(|conn| run(conn, "SELECT 1 FROM kept")).await.unwrap_err(),
    ] {
        assert!(error.is_away() && error.to_string().contains("removed"), "{error}");
    }
    assert!(!db.0.exists(), "no empty file in its place");
    std::fs::rename(&aside, &db.0).unwrap();
    sqlite.write(|conn| run(conn, "INSERT INTO kept VALUES (1)")).await.unwrap();
    assert_eq!(rows(&sqlite).await, 1);
}

#[tokio::test]
async fn the_last_to_let_go_still_has_everything_written() {
    let db = TempDb::new();
    let sqlite = table(&db).await;
    let pending: Vec<_> = (0..100)
        .map(|id| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move {
                sqlite.write(move |conn| run(conn, &format!("INSERT INTO kept VALUES ({id})"))).await
            })
        })
        .collect();
    drop(sqlite);
    for pending in pending {
        pending.await.unwrap().unwrap();
    }
    assert_eq!(rows(&Sqlite::new(&db.0.display().to_string(), Handle::current()).unwrap()).await, 100);
}
