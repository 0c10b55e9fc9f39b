"""The `bridge` command: what an operator types to look at the bridge, to check it and to put messages back to work."""
