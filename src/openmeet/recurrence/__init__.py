"""Recurrence rules of RFC 5545: checked, expanded in wall-clock time, split, and described in words. Pure."""
