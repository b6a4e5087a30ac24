DROP TRIGGER calls_taken_without_owner;
DROP TABLE nodes;
ALTER TABLE calls DROP COLUMN dial_status;
ALTER TABLE calls DROP COLUMN over_at;
ALTER TABLE calls DROP COLUMN asked_at;
ALTER TABLE calls DROP COLUMN streams;
ALTER TABLE calls DROP COLUMN generation;
ALTER TABLE calls DROP COLUMN owner;
