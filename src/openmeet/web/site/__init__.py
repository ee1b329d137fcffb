"""Shared by all pages: layout, session, forms, errors, tenant routing, static files."""
