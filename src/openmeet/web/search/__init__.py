"""Searching, saved searches, search feeds and the sitemap."""
