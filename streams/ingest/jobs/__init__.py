"""Who works when: the job queue, durable services, the scheduler, the source registry."""
