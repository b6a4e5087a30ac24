-- `error` says why a recording is `failed`. Clients with an `events_url` are told of their calls.
ALTER TABLE recordings ADD COLUMN error TEXT;
ALTER TABLE recordings ADD COLUMN content_type TEXT;
ALTER TABLE clients ADD COLUMN events_url TEXT;
ALTER TABLE clients ADD COLUMN events_secret TEXT;
