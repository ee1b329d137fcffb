"""Identities: DID documents, PLC operations, and how a handle and a DID claim each other.

Sources: did:plc method 0.3, atproto DID and handle specifications. No look-ups here: documents, answers and times are
arguments.
"""
