DROP TRIGGER calls_ended_without_code;
DROP VIEW call_ends;
ALTER TABLE calls DROP COLUMN ended_rev;
ALTER TABLE calls DROP COLUMN ended_at_source;
ALTER TABLE calls DROP COLUMN ended_rank;
ALTER TABLE calls DROP COLUMN ended_code;
