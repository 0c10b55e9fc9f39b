"""A replay that is killed at random moments, and a long queue of dead letters."""
