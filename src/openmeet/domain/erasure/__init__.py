"""Erasure of personal data: of deleted content after a retention time, and of whole accounts after their grace period."""
