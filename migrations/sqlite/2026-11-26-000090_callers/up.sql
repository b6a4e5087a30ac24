-- What a client had of a caller before is looked up as that caller's next call begins.
CREATE INDEX calls_client_caller ON calls (client_id, from_number, started_at);
