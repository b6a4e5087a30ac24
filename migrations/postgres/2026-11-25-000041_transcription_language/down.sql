ALTER TABLE clients DROP COLUMN transcription_language;
