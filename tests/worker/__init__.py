"""The function app under Azure's own Python worker library: indexed and invoked in process, without a host."""
