"""Everything that people read, rebuildable from the log at any time."""
