-- Blind comparisons of pictures by arm. A survey owns copies of its pictures, so that it does
-- not change when whoever drew them deletes theirs.
CREATE TABLE surveys (
    seq             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    name            TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('draft', 'running', 'paused', 'closed')),
    audience        TEXT    NOT NULL CHECK (audience IN ('everyone', 'registered')),
    -- Votes after which nobody is asked any more.
    target_votes    INTEGER NOT NULL,
    -- Votes one participant may give on one day (UTC).
    daily_cap       INTEGER NOT NULL,
    -- One in so many items, by chance, is an attention check; 0 for none.
    attention_every INTEGER NOT NULL,
    -- Of the bootstrap, so that results don't change from one look to the next.
    seed            INTEGER NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE survey_arms (
    survey_id TEXT    NOT NULL REFERENCES surveys (id) ON DELETE CASCADE,
    ordinal   INTEGER NOT NULL,
    name      TEXT    NOT NULL,
    PRIMARY KEY (survey_id, ordinal),
    UNIQUE (survey_id, name)
) STRICT;

-- Two pictures of one prompt, by two arms.
CREATE TABLE survey_items (
    seq          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    survey_id    TEXT    NOT NULL REFERENCES surveys (id) ON DELETE CASCADE,
    prompt       TEXT    NOT NULL,
    -- What the results can be cut by; null for none.
    prompt_group TEXT,
    first_arm    INTEGER NOT NULL,
    second_arm   INTEGER NOT NULL,
    -- Files, which nothing else refers to.
    first_image  TEXT    NOT NULL,
    second_image TEXT    NOT NULL,
    CHECK (first_arm <> second_arm)
) STRICT;

CREATE INDEX survey_items_survey ON survey_items (survey_id);

-- An item as one participant was shown it, and what they made of it.
CREATE TABLE survey_showings (
    seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- What the participant knows it by, which says nothing about item and arms.
    id          TEXT    NOT NULL UNIQUE,
    survey_id   TEXT    NOT NULL REFERENCES surveys (id) ON DELETE CASCADE,
    item        INTEGER NOT NULL REFERENCES survey_items (seq) ON DELETE CASCADE,
    user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    first_left  INTEGER NOT NULL CHECK (first_left IN (0, 1)),
    -- An attention check: the picture on this side was spoilt, so the other one is better.
    spoilt      TEXT    CHECK (spoilt IN ('left', 'right')),
    shown_at    INTEGER NOT NULL,
    vote        TEXT    CHECK (vote IN ('left', 'right', 'tie', 'both_bad')),
    voted_at    INTEGER
) STRICT;

-- A participant is shown one item at a time, and judges each once; checks may repeat.
CREATE UNIQUE INDEX survey_showings_one_open ON survey_showings (survey_id, user_id) WHERE vote IS NULL;
CREATE UNIQUE INDEX survey_showings_once ON survey_showings (user_id, item) WHERE spoilt IS NULL;
CREATE INDEX survey_showings_item ON survey_showings (item) WHERE spoilt IS NULL AND vote IS NOT NULL;
CREATE INDEX survey_showings_survey ON survey_showings (survey_id, seq);

-- A survey as admins see it.
CREATE VIEW survey_overview AS
SELECT s.*,
       (SELECT COUNT(*) FROM survey_items i WHERE i.survey_id = s.id) AS items,
       (SELECT COUNT(*) FROM survey_showings h
        WHERE h.survey_id = s.id AND h.spoilt IS NULL AND h.vote IS NOT NULL) AS votes
FROM surveys s;
