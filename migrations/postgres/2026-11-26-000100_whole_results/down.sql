ALTER TABLE call_steps DROP COLUMN whole;
