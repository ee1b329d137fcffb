"""Who an account is: DID documents, the operations behind did:plc, and how a handle and a DID name each other.

Sources: did:plc method 0.3, atproto DID and handle specifications. No look-ups here: documents, answers and times are
arguments.
"""
