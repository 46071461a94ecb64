"""INTO the log: everything that appends."""
