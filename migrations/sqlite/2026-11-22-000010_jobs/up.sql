-- `lease_owner` works the job until `leased_until`. Of jobs with one `ordering`, only the oldest unfinished one is worked. A job
-- with a `node` is worked by that node alone: what it needs lies there.
ALTER TABLE jobs ADD COLUMN lease_owner TEXT;
ALTER TABLE jobs ADD COLUMN leased_until TIMESTAMP;
ALTER TABLE jobs ADD COLUMN ordering TEXT;
ALTER TABLE jobs ADD COLUMN node TEXT;
DROP INDEX jobs_status_run_at;
CREATE INDEX jobs_kind_status_run_at ON jobs (kind, status, run_at);
CREATE INDEX jobs_ordering_status ON jobs (ordering, status, id);
