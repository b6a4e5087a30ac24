-- How a call ended: one word (`ended_code`), how much that account knows (`ended_rank`: the higher takes the place of the lower), and
-- whose clock `ended_at` is of. protocol/src/call/end says what they mean. Before, all three were read from sentences and fractions of
-- a second.
--
-- A gateway of the version before goes on writing beside the new one while it is replaced. It does not know these columns, and sets,
-- replaces or takes back an end without them. So the database derives them from what it wrote. That is right at once, for whoever
-- reads the row and for the guards of the new one's statements (`ended_rank < ...`), which a check in the new gateway would not be.
-- Who knows the columns counts `ended_rev` up with each change of an end: only where it stays the same is anything derived. The view
-- and the trigger can go once no gateway of the version before is left.
ALTER TABLE calls ADD COLUMN ended_code TEXT;
ALTER TABLE calls ADD COLUMN ended_rank SMALLINT;
ALTER TABLE calls ADD COLUMN ended_at_source TEXT;
ALTER TABLE calls ADD COLUMN ended_rev INTEGER NOT NULL DEFAULT 0;

-- What the version before says with its words. (It tells the carrier's clock by its whole seconds.)
CREATE VIEW call_ends AS
SELECT
    id,
    CASE
        WHEN ended_by IS NULL THEN NULL
        WHEN ended_by = 'upkeep' THEN 'reaped'
        WHEN ended_by = 'carrier' AND carrier_status IN ('canceled', 'no-answer', 'busy', 'failed', 'completed')
            THEN 'carrier_reported'
        WHEN ended_by = 'carrier' THEN 'stream_reported'
        WHEN LOWER(REPLACE(REPLACE(REPLACE(ended_why, '_', ''), '-', ''), ' ', ''))
            = 'thecaller''ssideendedthestream(callended)' THEN 'caller_hung_up'
        WHEN ended_why LIKE 'the caller''s side ended the stream (%' THEN 'stream_stopped'
        WHEN ended_why = 'the carrier''s socket closed' THEN 'stream_lost'
        WHEN ended_why = 'the agent ended the call' THEN 'agent_hung_up'
        WHEN ended_why LIKE 'the agent handed the call on: %' THEN 'transferred'
        WHEN ended_why = 'an operator ended the call' THEN 'operator'
        WHEN ended_why = 'the longest call allowed was reached' THEN 'too_long'
        WHEN ended_why = 'the media stream never started' THEN 'no_media'
        WHEN ended_why = 'the carrier sent no more audio' THEN 'media_silent'
        WHEN ended_why LIKE 'the model failed: %' THEN 'model_failed'
        WHEN ended_why LIKE 'the gateway gave up after repeated faults: %' THEN 'gave_up'
        WHEN ended_why = 'the gateway stopped' THEN 'shutdown'
        ELSE 'unknown'
    END AS code,
    CASE
        WHEN ended_by IS NULL THEN NULL
        WHEN ended_by = 'upkeep' THEN 0
        WHEN ended_by = 'carrier' THEN
            CASE WHEN carrier_status IN ('canceled', 'no-answer', 'busy', 'failed', 'completed') THEN 30 ELSE 20 END
            + CASE status WHEN 'no-answer' THEN 1 WHEN 'busy' THEN 2 WHEN 'failed' THEN 3 WHEN 'completed' THEN 4 ELSE 0 END
        WHEN ended_why = 'the media stream never started' THEN 10
        ELSE 40
    END AS rank,
    CASE
        WHEN ended_at IS NULL THEN NULL
        WHEN ended_by = 'carrier' AND (INSTR(ended_at, '.') = 0 OR RTRIM(ended_at, '0') LIKE '%.' OR (entry IS NOT NULL AND ended_at = started_at)) THEN 'carrier'
        ELSE 'gateway'
    END AS at_source
FROM calls;

CREATE TRIGGER calls_ended_without_code AFTER UPDATE OF status, carrier_status, ended_by, ended_why, ended_at ON calls
WHEN NEW.ended_rev = OLD.ended_rev AND (
    NEW.ended_by IS NOT OLD.ended_by
    OR NEW.ended_why IS NOT OLD.ended_why
    OR NEW.ended_at IS NOT OLD.ended_at
    OR (NEW.ended_by = 'carrier' AND (NEW.status <> OLD.status OR NEW.carrier_status IS NOT OLD.carrier_status))
)
BEGIN
    UPDATE calls
    SET (ended_code, ended_rank, ended_at_source) = (SELECT code, rank, at_source FROM call_ends WHERE call_ends.id = NEW.id)
    WHERE id = NEW.id;
END;
