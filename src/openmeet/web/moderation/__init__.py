"""Moderation console: the queue, content held for review, hidden content, the log and the site's policy.

``domain.moderation.policy`` decides who is a moderator.
"""
