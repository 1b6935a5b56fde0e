-- A person is anonymous until they register; what they own hangs on `users` and stays.
CREATE TABLE accounts (
    user_id       TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- As typed; shown back to the person.
    name          TEXT    NOT NULL,
    -- Normalised and without case: two names that read alike are one.
    name_key      TEXT    NOT NULL UNIQUE,
    -- Argon2id in PHC format, which carries its own parameters and salt.
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('person', 'admin')),
    registered_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_tokens (
    seq          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    user_id      TEXT    NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    -- SHA-256 of the token, as with sessions.
    token_hash   BLOB    NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    -- Kept to the minute: writing it with each request would make every read a write.
    last_used_at INTEGER
) STRICT;

CREATE INDEX api_tokens_user ON api_tokens (user_id);

-- Whoever shows this token becomes the first admin. There is none, or one.
CREATE TABLE admin_setup (
    only       INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    token_hash BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Pictures whose rows are gone: named in the transaction that deletes the rows, so that a
-- server that is killed before it has removed the files removes them at its next start.
CREATE TABLE discarded_images (
    id TEXT NOT NULL PRIMARY KEY
) STRICT;

-- A person with their account, if they have one.
CREATE VIEW people AS
SELECT u.id, u.pair_seed, u.created_at, a.name, a.role, a.registered_at
FROM users u LEFT JOIN accounts a ON a.user_id = u.id;

-- Admins page through the people by when they came.
CREATE INDEX users_by_arrival ON users (created_at, id);
