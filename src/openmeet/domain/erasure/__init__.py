"""Erasing personal data: what was deleted, after a retention time; a whole account, after its grace period."""
