-- Times are milliseconds since 1970 in UTC. Ids that travel are random UUIDs in text.

CREATE TABLE users (
    id         TEXT    NOT NULL PRIMARY KEY,
    -- Orders the pair bank for this person, so that "next" is random and yet stays put.
    pair_seed  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    -- SHA-256 of the cookie: whoever reads the database can't take over a session.
    token_hash BLOB    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE profiles (
    seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Null until the person names it.
    name       TEXT,
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'ready', 'failed')),
    failure    TEXT,
    -- Counted choices that came with an imported profile.
    imported_choices INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX profiles_user ON profiles (user_id);
-- A person names one profile before the next one is begun.
CREATE UNIQUE INDEX profiles_one_unnamed ON profiles (user_id) WHERE name IS NULL;

CREATE TABLE choice_sets (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The profile it makes (from its completion on) or sharpens (from its opening on).
    -- Choices outlive a deleted profile: the person has still seen those pairs.
    profile_id   TEXT    REFERENCES profiles (id) ON DELETE SET NULL,
    opened_at    INTEGER NOT NULL,
    completed_at INTEGER,
    -- When the model finished reading it, well or badly.
    read_at      INTEGER
) STRICT;

CREATE UNIQUE INDEX choice_sets_one_open ON choice_sets (user_id) WHERE completed_at IS NULL;
CREATE INDEX choice_sets_profile ON choice_sets (profile_id);
CREATE INDEX choice_sets_unread ON choice_sets (id) WHERE completed_at IS NOT NULL AND read_at IS NULL;

CREATE TABLE choices (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    set_id     INTEGER NOT NULL REFERENCES choice_sets (id) ON DELETE CASCADE,
    pair_id    TEXT    NOT NULL,
    -- How often the person had judged the pair before: once the whole bank is judged,
    -- it goes round again.
    round      INTEGER NOT NULL,
    choice     TEXT    NOT NULL CHECK (choice IN ('left', 'right', 'tie', 'skip')),
    created_at INTEGER NOT NULL,
    UNIQUE (user_id, pair_id, round)
) STRICT;

CREATE INDEX choices_set ON choices (set_id);

-- A profile has one embedding for each completed set; they are blended evenly.
CREATE TABLE preference_embeddings (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    profile_id  TEXT    NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    -- SHA-256 of the weights that made it: an embedding means nothing to other weights.
    model_hash  TEXT    NOT NULL,
    bytes       BLOB    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX preference_embeddings_profile ON preference_embeddings (profile_id);

CREATE TABLE generations (
    -- The order of the queue.
    seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    state       TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    prompt      TEXT    NOT NULL,
    seed        INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    steps       INTEGER NOT NULL,
    guidance    REAL    NOT NULL,
    strength    REAL    NOT NULL,
    failure     TEXT,
    -- Events of this process are numbered above it; raised whenever a restart queues the
    -- generation again, so that numbers never go back.
    event_base  INTEGER NOT NULL DEFAULT 0,
    final_event INTEGER,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

CREATE INDEX generations_user ON generations (user_id, seq);
CREATE INDEX generations_unfinished ON generations (state, seq) WHERE state IN ('queued', 'running');

CREATE TABLE generation_profiles (
    generation_id TEXT    NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    ordinal       INTEGER NOT NULL,
    -- No reference: the record of what was asked outlives a deleted profile.
    profile_id    TEXT    NOT NULL,
    profile_name  TEXT    NOT NULL,
    weight        REAL    NOT NULL,
    PRIMARY KEY (generation_id, ordinal)
) STRICT;

CREATE TABLE images (
    id            TEXT    NOT NULL PRIMARY KEY,
    generation_id TEXT    NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    ordinal       INTEGER NOT NULL,
    seed          INTEGER NOT NULL,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    event         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    -- Each picture is finished once, however often the server was killed meanwhile.
    UNIQUE (generation_id, ordinal)
) STRICT;

-- A profile as its owner sees it.
CREATE VIEW profile_overview AS
SELECT p.seq, p.id, p.user_id, p.name, p.state, p.failure, p.created_at,
       p.imported_choices + (
           SELECT COUNT(*) FROM choices c JOIN choice_sets s ON s.id = c.set_id
           WHERE s.profile_id = p.id AND s.completed_at IS NOT NULL
             AND c.choice IN ('left', 'right')) AS choices,
       (SELECT e.description FROM preference_embeddings e
        WHERE e.profile_id = p.id ORDER BY e.id DESC LIMIT 1) AS description
FROM profiles p;

-- A generation as its owner sees it; `ahead` counts those to be started before it.
CREATE VIEW generation_overview AS
SELECT g.*,
       CASE WHEN g.state = 'queued' THEN (
           SELECT COUNT(*) FROM generations q WHERE q.state = 'queued' AND q.seq < g.seq
       ) END AS ahead
FROM generations g;
