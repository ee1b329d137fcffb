"""Keys of this server: each repository's signing key and the server's own, sealed at rest.

Owns ``signing_keys`` and ``server_keys``. A repository has at most one current key; retired ones are kept sealed, because
repairing an identity that still names one requires it.
"""
