"""Judges of a run: the invariants of PBFT, checked against what replicas said and wrote down.

They share no code with what they judge: packets and records are read with another decoder, signatures are
checked here, quorums are counted here. Nothing in this package imports consensus or node.
"""
