"""The OAuth authorization server: people authorize apps for chosen scopes and a limited time.

Source: atproto OAuth profile over OAuth 2.1, PAR (RFC 9126), PKCE (RFC 7636), DPoP (RFC 9449). A pushed request belongs
to one client and one browser. A code is used once; a refresh token is used once, and reuse ends the session. Every
token is bound to the app's DPoP key. Nothing stored in the database can be used as a credential.
"""
