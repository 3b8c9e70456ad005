"""A user's own network from inside, live in a local page: every map, every sum, every gradient."""
