ALTER TABLE turns DROP COLUMN backchannel;
