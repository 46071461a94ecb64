"""Evidence bundles: a range of the log in one file that anyone can check."""
