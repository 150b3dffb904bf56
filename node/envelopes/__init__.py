"""Payloads sealed for their readers: fields, commitment, keys, encryption, key slots, the transaction."""
