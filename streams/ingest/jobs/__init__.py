"""The plumbing of ingest: job queue, ports, scheduler, the registry of sources."""
