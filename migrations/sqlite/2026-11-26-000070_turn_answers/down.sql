ALTER TABLE turns DROP COLUMN answer_ms;
