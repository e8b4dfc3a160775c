"""Words, tables and figures: `text` writes reports, `phrases` has their wording, `plots` draws."""
