"""The local Functions host, held to how Azure runs a Python app."""
