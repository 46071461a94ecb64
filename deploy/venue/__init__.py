"""A venue on this machine: folders, keys, settings, servers, processes."""
