ALTER TABLE calls DROP COLUMN secret_keys;
