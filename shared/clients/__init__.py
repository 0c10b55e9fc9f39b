"""Clients of the two systems: `wire` modules are functions over data, `client` sends, `auth` gets tokens."""
