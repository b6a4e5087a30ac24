-- Where callers were handed on to: one row for each stream of a call that a person came behind (`number`: streams that had begun by then).
CREATE TABLE call_transfers (
    call_id     BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at          TIMESTAMP NOT NULL,
    -- One of the client's destinations; none: whomever the flow has.
    destination TEXT,
    reason      TEXT NOT NULL,
    summary     TEXT,
    -- The code of the end that it followed from.
    cause       TEXT NOT NULL,
    -- What became of it, in the carrier's word; none: not told.
    outcome     TEXT,
    PRIMARY KEY (call_id, number)
);
