"""Consent pages: sign in or up, choose an account, decide about an app's scopes."""
