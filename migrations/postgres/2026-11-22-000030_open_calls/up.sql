-- The calls whose end nobody told, oldest first: few, however long the history is.
CREATE INDEX calls_open ON calls (started_at) WHERE ended_by IS NULL AND entry IS NOT NULL;
