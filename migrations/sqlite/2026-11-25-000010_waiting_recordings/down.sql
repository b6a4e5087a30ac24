DROP INDEX recordings_status;
