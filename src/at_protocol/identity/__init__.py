"""Identities: DID documents, PLC operations, and the mutual claims of handles and DIDs.

Sources: did:plc method 0.3, atproto DID and handle specifications. This package makes no look-ups: callers pass in
documents, answers and times.
"""
