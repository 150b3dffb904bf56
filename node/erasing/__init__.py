"""Payloads whose time is over: erased, signed for, and read from a run's folder afterwards."""
