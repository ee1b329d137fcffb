"""OAuth of the AT Protocol as values, for clients and servers: scopes, DPoP proofs, client metadata.

Base documents: OAuth 2.1 (draft), RFC 7636 (PKCE), RFC 9126 (PAR), RFC 9449 (DPoP), RFC 7523 (client authentication),
RFC 8414 (server metadata), the client-id-metadata-document draft, and the atproto OAuth profile that narrows them.
Everything raises ``Malformed`` and nothing else. Callers pass in times, random values and fetched bytes.
"""
