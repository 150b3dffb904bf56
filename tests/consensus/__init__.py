"""Tests of the PBFT core. `alone.py` steps one replica, `cluster.py` runs many in virtual time."""
