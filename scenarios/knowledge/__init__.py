"""The privacy matrix: who holds what, found out by trying to decrypt."""
