"""Shared parts of all HTML pages of the PDS: layout, branding, forms, static files, failures. It imports no page package."""
