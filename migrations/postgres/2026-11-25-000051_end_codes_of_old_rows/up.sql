-- Rows that have an end already. By itself, so that the table is not locked meanwhile.
UPDATE calls
SET ended_code = call_ends.code, ended_rank = call_ends.rank, ended_at_source = call_ends.at_source
FROM call_ends
WHERE call_ends.id = calls.id AND calls.ended_by IS NOT NULL AND calls.ended_code IS NULL;
