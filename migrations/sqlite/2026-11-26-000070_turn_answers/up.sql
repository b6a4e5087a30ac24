-- How long the caller had waited for the answer that this turn began, ms from their last speech; none: it began none.
ALTER TABLE turns ADD COLUMN answer_ms BIGINT;
