"""Keys and signatures: the two curves of the protocol, their text forms, and the tokens signed with them.

ECDSA over SHA-256, signatures as 64 bytes (r, then s, big-endian), low-S always (atproto cryptography specification).
Nothing here draws random values: they are arguments.
"""
