"""The moderation console: the queue, what is held for review, what is hidden, the log and the site's policy.

``domain.moderation.policy`` decides who moderates.
"""
