"""How read models are kept in Postgres: shape, schemas, checkpoint, writing, hashes."""
