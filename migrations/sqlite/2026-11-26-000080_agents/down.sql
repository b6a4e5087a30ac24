DROP TRIGGER client_changed;
DROP TRIGGER client_number_changed;
DROP TRIGGER client_number_added;
DROP TABLE client_tokens;
DROP TABLE client_secrets;
DROP TABLE client_numbers;
ALTER TABLE clients DROP COLUMN version;
ALTER TABLE clients DROP COLUMN document;
