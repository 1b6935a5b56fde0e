-- The beginning of the prompt that the model reads, where the prompt is longer than that.
ALTER TABLE generations ADD COLUMN prompt_read TEXT;
