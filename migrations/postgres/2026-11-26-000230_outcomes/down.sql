DROP TABLE call_outcomes;
ALTER TABLE clients DROP COLUMN analysed;
