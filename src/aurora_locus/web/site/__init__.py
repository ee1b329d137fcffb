"""Shared parts of all HTML pages of the PDS: layout, branding, forms, static files, error pages. It imports no package
that has pages.
"""
