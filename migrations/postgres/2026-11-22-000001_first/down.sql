DROP TABLE jobs;
DROP TABLE audit_log;
DROP TABLE recordings;
DROP TABLE turns;
DROP TABLE calls;
DROP TABLE clients;
DROP FUNCTION audit_log_append_only;
