"""The protocol under a seeded simulation: the real flows and engine, a virtual clock, faults at every step."""
