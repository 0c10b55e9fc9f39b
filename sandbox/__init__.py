"""The local world: stand-ins for the systems that the bridge talks to, each over its real protocol."""
