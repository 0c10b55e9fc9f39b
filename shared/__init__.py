"""The bridge itself: rules (domain, flows), the engine that performs them, and the clients and stores at the edge."""
