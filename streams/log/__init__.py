"""The log client and the engine host."""
