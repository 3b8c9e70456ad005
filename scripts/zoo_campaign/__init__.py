"""``scripts/zoo``: trained, evaluated once, published: the table of what every recipe reaches."""
