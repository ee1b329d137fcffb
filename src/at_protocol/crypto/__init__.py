"""Keys and signatures: the protocol's two curves, their text forms, and the tokens signed with them.

ECDSA over SHA-256, signatures as 64 bytes (r, then s, big-endian), always low-S (atproto cryptography specification). Nothing
here generates random values: they are arguments.
"""
