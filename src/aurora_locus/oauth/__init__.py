"""The authorization server: apps are let in by their people, for what these agreed to, and for no longer.

Source: atproto OAuth profile over OAuth 2.1, PAR (RFC 9126), PKCE (RFC 7636), DPoP (RFC 9449). A pushed request belongs
to one client and one browser; a code is spent once; a refresh token works once, and its second use ends the session;
every token is bound to the key that the app has shown. Nothing in the database can be used as a credential.
"""
