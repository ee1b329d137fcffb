"""Consent pages: sign in or up, choose an account, and decide which scopes an app gets."""
