"""Faults of a scenario: when they begin and end, whom they concern, what they touched, in both worlds."""
