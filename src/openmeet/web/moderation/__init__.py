"""Moderation console: the queue, content held for review, hidden content, the log and the site's policy.

``domain.moderation.moderators`` decides who is a moderator.
"""
