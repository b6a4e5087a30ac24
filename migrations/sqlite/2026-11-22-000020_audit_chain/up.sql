-- Each row carries the hash of the one before it (src/store/audit/chain.rs says over what). Rows from before this have none: the
-- chain begins with the first row that has one.
ALTER TABLE audit_log ADD COLUMN prev_hash TEXT;
ALTER TABLE audit_log ADD COLUMN hash TEXT;

-- Where the chain ends: without it, rows taken away at the end would not be missed. One row, and the lock of whoever appends.
CREATE TABLE audit_head (
    id      INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    last_id BIGINT NOT NULL,
    hash    TEXT NOT NULL
);
INSERT INTO audit_head (id, last_id, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
