DROP INDEX jobs_ordering_status;
DROP INDEX jobs_kind_status_run_at;
CREATE INDEX jobs_status_run_at ON jobs (status, run_at);
ALTER TABLE jobs DROP COLUMN node;
ALTER TABLE jobs DROP COLUMN ordering;
ALTER TABLE jobs DROP COLUMN leased_until;
ALTER TABLE jobs DROP COLUMN lease_owner;
