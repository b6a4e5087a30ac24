DROP INDEX calls_client_caller;
