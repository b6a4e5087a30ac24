-- What a function came to, where that is more than its call's model was told (`output`).
ALTER TABLE call_steps ADD COLUMN whole TEXT;
