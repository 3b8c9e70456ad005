"""The lecture's demonstration: a very simple network learns points of a plane, step by step."""
