"""The entry point for the world: articles, signals and answers onto the log."""
