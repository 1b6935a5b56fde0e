-- What an undo names a choice by: asked for twice, it takes back one choice.
ALTER TABLE choices ADD COLUMN public_id TEXT NOT NULL DEFAULT '';
UPDATE choices SET public_id = lower(hex(randomblob(16)));
CREATE UNIQUE INDEX choices_public_id ON choices (public_id);
