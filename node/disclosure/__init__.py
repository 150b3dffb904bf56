"""Showing a content later: what a discloser makes, what a receiver makes of it, and proofs of a breach."""
