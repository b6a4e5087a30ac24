-- What happened between the turns of a call: functions that were called (`number` counts over the call), and keys that were entered
-- (`number` is their `at_ms`). With the turns it is what a gateway goes on from that takes the call.
CREATE TABLE call_steps (
    call_id      BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    number       BIGINT NOT NULL,
    at_ms        BIGINT NOT NULL,
    -- How its session called it, its name, how long its result is waited for (none: nothing runs for it), and the result.
    tool_call_id TEXT,
    name         TEXT,
    wait_ms      BIGINT,
    output       TEXT,
    -- Arguments, or keys.
    input        TEXT NOT NULL,
    PRIMARY KEY (call_id, kind, number)
);
