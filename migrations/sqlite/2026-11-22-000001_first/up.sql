-- Times are UTC. Phone numbers are E.164; the spelling they came in is kept beside them.

CREATE TABLE clients (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name                    TEXT NOT NULL,
    exotel_number           TEXT NOT NULL,
    active                  BOOLEAN NOT NULL DEFAULT TRUE,
    region                  TEXT NOT NULL DEFAULT 'IN',
    time_zone               TEXT NOT NULL DEFAULT 'Asia/Kolkata',
    greeting                TEXT NOT NULL,
    language                TEXT NOT NULL,
    voice                   TEXT,
    instructions            TEXT NOT NULL,
    model                   TEXT,
    tools                   TEXT NOT NULL DEFAULT '[]',
    max_concurrent          INTEGER,
    calls_per_minute        INTEGER,
    caller_calls_per_minute INTEGER,
    max_call_secs           INTEGER,
    recording               BOOLEAN NOT NULL DEFAULT FALSE,
    created_at              TIMESTAMP NOT NULL,
    updated_at              TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX clients_exotel_number ON clients (exotel_number);

CREATE TABLE calls (
    id               INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call_sid         TEXT NOT NULL,
    client_id        BIGINT REFERENCES clients (id),
    from_number      TEXT,
    from_raw         TEXT,
    to_number        TEXT,
    to_raw           TEXT,
    direction        TEXT,
    entry            TEXT,
    status           TEXT NOT NULL,
    carrier_status   TEXT,
    ended_by         TEXT,
    ended_why        TEXT,
    started_at       TIMESTAMP NOT NULL,
    answered_at      TIMESTAMP,
    media_at         TIMESTAMP,
    ended_at         TIMESTAMP,
    stream_sid       TEXT,
    duration_ms      BIGINT,
    caller_talk_ms   BIGINT,
    agent_talk_ms    BIGINT,
    turn_count       INTEGER,
    interruptions    INTEGER,
    first_audio_ms   BIGINT,
    answer_p50_ms    BIGINT,
    answer_p95_ms    BIGINT,
    answer_max_ms    BIGINT,
    unheard_ms       BIGINT,
    model_reconnects INTEGER,
    frames_lost      BIGINT,
    tokens           TEXT,
    cost_microusd    BIGINT
);
CREATE UNIQUE INDEX calls_call_sid ON calls (call_sid);
CREATE INDEX calls_started_at ON calls (started_at);
CREATE INDEX calls_client_id ON calls (client_id, started_at);

CREATE TABLE turns (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call_id      BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    "index"      INTEGER NOT NULL,
    who          TEXT NOT NULL,
    text         TEXT NOT NULL,
    at_ms        BIGINT NOT NULL,
    heard_ms     BIGINT NOT NULL,
    generated_ms BIGINT NOT NULL,
    interrupted  BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX turns_call_id_index ON turns (call_id, "index");

CREATE TABLE recordings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call_id    BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    source_url TEXT NOT NULL,
    status     TEXT NOT NULL,
    stored_url TEXT,
    bytes      BIGINT,
    sha256     TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX recordings_call_id_source_url ON recordings (call_id, source_url);

CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at          TIMESTAMP NOT NULL,
    kind        TEXT NOT NULL,
    call_sid    TEXT,
    remote_addr TEXT,
    request_id  TEXT,
    outcome     TEXT NOT NULL,
    payload     TEXT NOT NULL
);
CREATE INDEX audit_log_call_sid ON audit_log (call_sid, at);
CREATE INDEX audit_log_at ON audit_log (at);

-- Append-only is held by the database, not by good intentions.
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    payload    TEXT NOT NULL,
    status     TEXT NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    run_at     TIMESTAMP NOT NULL,
    last_error TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX jobs_kind_key ON jobs (kind, key);
CREATE INDEX jobs_status_run_at ON jobs (status, run_at);
