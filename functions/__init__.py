"""One file a trigger: unwrap, one call, wrap."""
