-- A fixed sentence, which no model said or is told of.
ALTER TABLE turns ADD COLUMN clip BOOLEAN NOT NULL DEFAULT 0;
