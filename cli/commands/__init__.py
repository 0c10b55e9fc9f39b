"""One module a command: its options, its help, and how its data is shown."""
