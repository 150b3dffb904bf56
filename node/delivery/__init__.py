"""Payloads that travel to their readers alone: `payload: off_chain`."""
