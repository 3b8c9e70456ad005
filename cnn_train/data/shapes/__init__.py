"""The embedded dataset: shapes drawn from a seed."""
