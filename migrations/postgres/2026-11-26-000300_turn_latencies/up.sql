-- How long the caller waited until they heard the turn, in its parts: JSON.
ALTER TABLE turns ADD COLUMN latency TEXT;
