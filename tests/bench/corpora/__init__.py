"""Other projects' feeds, pages and robots.txt checks, run through ingest from a folder."""
