"""Moderation: what the site hides and why, reports, blocks, moderators, and the audit log.

One row per subject holds its status, and one condition (``visibility.is_withheld``) hides it, so every query that uses
the condition obeys. Every action of a moderator is a line of an append-only log (enforced by the database) and can be
undone once, which is another line. Only moderators learn who reported something.
"""
