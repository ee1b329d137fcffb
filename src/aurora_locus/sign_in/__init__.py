"""Signing in and out in a browser, choosing between accounts, and choosing a new password when the old one is forgotten."""
