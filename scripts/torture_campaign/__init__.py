"""``scripts/torture``: the fault campaign, run for real and counted."""
