ALTER TABLE clients DROP COLUMN events_secret;
ALTER TABLE clients DROP COLUMN events_url;
ALTER TABLE recordings DROP COLUMN content_type;
ALTER TABLE recordings DROP COLUMN error;
