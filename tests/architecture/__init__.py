"""Rules that hold for the source code itself."""
