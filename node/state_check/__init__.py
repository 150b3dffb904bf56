"""Comparing private state between the parties of each audience (P37)."""
