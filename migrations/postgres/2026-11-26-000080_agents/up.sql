-- What the file of a client's agent says beyond the columns of `clients` (JSON), and which version of it all stands: it grows with every
-- change of the row, whoever makes it.
ALTER TABLE clients ADD COLUMN document TEXT;
ALTER TABLE clients ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- The numbers of clients, `clients.exotel_number` among them: no two clients have the same.
CREATE TABLE client_numbers (
    number    TEXT PRIMARY KEY NOT NULL,
    client_id BIGINT NOT NULL REFERENCES clients (id)
);
CREATE INDEX client_numbers_client ON client_numbers (client_id);
INSERT INTO client_numbers (number, client_id) SELECT exotel_number, id FROM clients;

-- Secrets of clients, sealed.
CREATE TABLE client_secrets (
    client_id  BIGINT NOT NULL REFERENCES clients (id),
    name       TEXT NOT NULL,
    sealed     TEXT NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (client_id, name)
);

-- Tokens with which clients read what is theirs, as SHA-256.
CREATE TABLE client_tokens (
    id         BIGSERIAL PRIMARY KEY,
    client_id  BIGINT NOT NULL REFERENCES clients (id),
    hash       TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX client_tokens_hash ON client_tokens (hash);
CREATE INDEX client_tokens_client ON client_tokens (client_id);

-- A gateway of the version before knows one number of a client, and no version.
CREATE FUNCTION keep_client_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM client_numbers WHERE client_id = OLD.id AND number IN (OLD.exotel_number, NEW.exotel_number);
    END IF;
    INSERT INTO client_numbers (number, client_id) VALUES (NEW.exotel_number, NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER client_number_added AFTER INSERT ON clients FOR EACH ROW EXECUTE FUNCTION keep_client_number();
CREATE TRIGGER client_number_changed AFTER UPDATE OF exotel_number ON clients FOR EACH ROW
    WHEN (NEW.exotel_number <> OLD.exotel_number) EXECUTE FUNCTION keep_client_number();
CREATE FUNCTION count_client_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER client_changed BEFORE UPDATE ON clients FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION count_client_version();
