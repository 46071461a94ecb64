"""The engine host: leadership, the leader loop, snapshots and the scrub."""
