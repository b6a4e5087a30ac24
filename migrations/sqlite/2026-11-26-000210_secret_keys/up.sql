-- Its caller typed what nobody is told: whatever else was recorded of it may have the tones.
ALTER TABLE calls ADD COLUMN secret_keys BOOLEAN NOT NULL DEFAULT 0;
