"""Merge decisions: which side was chosen when a record was changed both here and by another app. Hosts can review them."""
