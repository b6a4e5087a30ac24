-- Whether a text model is asked what came of the client's calls.
ALTER TABLE clients ADD COLUMN analysed BOOLEAN NOT NULL DEFAULT FALSE;

-- What a text model found out of a call that was over, or why it did not.
CREATE TABLE call_outcomes (
    call_id    BIGINT PRIMARY KEY NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    -- done, failed, waiting (for another attempt), skipped.
    status     TEXT NOT NULL,
    -- JSON, as the client's schema says.
    outcome    TEXT,
    why        TEXT,
    model      TEXT,
    updated_at TIMESTAMP NOT NULL
);
