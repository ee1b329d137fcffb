"""Keys and signatures: the protocol's two curves, the text forms of keys, and signed tokens.

Signatures are ECDSA over SHA-256, 64 bytes (r, then s, big-endian), always low-S (atproto cryptography specification).
This package generates no random values; callers pass them in.
"""
