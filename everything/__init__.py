"""Everything Market: a market whose every price can be proved from one log."""
