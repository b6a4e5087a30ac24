-- What waits to be fetched is counted before more is taken.
CREATE INDEX recordings_status ON recordings (status, call_id);
