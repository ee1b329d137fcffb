"""Moderation: what the site hides and why, reports, blocks, moderators, and the audit log.

Each subject has one row with its status, and one SQL condition (``visibility.is_withheld``) hides it from every query
that includes the condition. Every moderator action is a line of an append-only log, which the database enforces. An
action can be undone once, which adds another line. Only moderators learn who reported something.
"""
