"""One log, decided again under every setting that could make a difference: it must make none."""
