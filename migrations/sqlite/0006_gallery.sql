-- The prompt in one Unicode form and without case, for searching. SQLite folds ASCII alone, so
-- the server fills it in; null until its first start with this column.
ALTER TABLE generations ADD COLUMN prompt_key TEXT;

ALTER TABLE images ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0 CHECK (favourite IN (0, 1));
-- SHA-256 of the weights that drew it; null for pictures from before it was kept.
ALTER TABLE images ADD COLUMN model_hash TEXT;

-- A selection of pictures that waits to be downloaded.
CREATE TABLE image_archives (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A JSON array, in the order asked. Pictures may be deleted before the download.
    images     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX image_archives_user ON image_archives (user_id);

-- A picture as its owner sees it, with all it takes to draw it again.
CREATE VIEW image_overview AS
SELECT i.*, g.user_id, g.seq AS generation_seq, g.state, g.prompt, g.prompt_read, g.prompt_key,
       g.steps, g.guidance, g.strength,
       (SELECT json_group_array(json_object(
                   'id', p.profile_id, 'name', p.profile_name, 'weight', p.weight)
               ORDER BY p.ordinal)
        FROM generation_profiles p WHERE p.generation_id = g.id) AS profiles
FROM images i JOIN generations g ON g.id = i.generation_id;
