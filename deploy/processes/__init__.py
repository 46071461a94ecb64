"""What each process of a venue does, one module for each kind."""
