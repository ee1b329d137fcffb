"""A host's public page."""
