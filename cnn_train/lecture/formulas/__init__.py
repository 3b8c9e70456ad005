"""Formulas as graphs, and every way to their slopes."""
