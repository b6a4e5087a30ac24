-- A sound of the caller's that wanted nothing: a cough, or what a listener says. No model is told of it.
ALTER TABLE turns ADD COLUMN backchannel BOOLEAN NOT NULL DEFAULT FALSE;
