-- The language that callers are written down in, in two letters; none: whichever they speak.
ALTER TABLE clients ADD COLUMN transcription_language TEXT;
