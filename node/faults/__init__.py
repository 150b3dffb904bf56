"""Faults on purpose: what one node's network does to it, and what the node itself does wrong."""
