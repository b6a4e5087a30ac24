DROP INDEX calls_open;
