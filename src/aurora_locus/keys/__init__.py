"""Keys of this server: the signing key of each repository and the server's own keys, sealed at rest.

Owns ``signing_keys`` and ``server_keys``. A repository has at most one current key. Retired keys are kept, sealed,
because they are needed to repair an identity that still names one.
"""
