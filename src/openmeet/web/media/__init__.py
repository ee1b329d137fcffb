"""Uploading and serving pictures."""
