-- Every call has one owner: the run of a gateway that has it (`nodes.id`), and a generation that grows whenever another takes it. What a
-- gateway writes of a call is guarded by both.
ALTER TABLE calls ADD COLUMN owner TEXT;
ALTER TABLE calls ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
-- Media streams that began. (Rows of the version before have 0 and `media_at`: that is one.)
ALTER TABLE calls ADD COLUMN streams INTEGER NOT NULL DEFAULT 0;
-- When a further stream was asked for; none once it began.
ALTER TABLE calls ADD COLUMN asked_at TIMESTAMP;
-- From when on the call is over for good: until then a further stream takes it back.
ALTER TABLE calls ADD COLUMN over_at TIMESTAMP;
-- What became of the last transfer, in the carrier's word.
ALTER TABLE calls ADD COLUMN dial_status TEXT;

-- Gateways, each run of one by itself. A lease is judged by the database's clock.
CREATE TABLE nodes (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    lease_until TIMESTAMP NOT NULL
);

-- A gateway of the version before takes a call by writing its media stream down, and knows no owners. Whoever knows them counts `streams`
-- up in the same statement: where it stays, the call is nobody's whom a lease is known of, and its owner so far meets a newer generation.
CREATE FUNCTION disown_taken_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE calls SET owner = NULL, generation = generation + 1, streams = 1 WHERE id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER calls_taken_without_owner AFTER UPDATE OF media_at ON calls
FOR EACH ROW WHEN (OLD.media_at IS NULL AND NEW.media_at IS NOT NULL AND NEW.streams = OLD.streams)
EXECUTE FUNCTION disown_taken_call();
