"""LOG → LOG, pure: `decide(state, input, now) -> events`, `evolve(state, event)`."""
