"""The moderation console: the queue, what waits for review, what is hidden, the log and the site's policy.

Who moderates is decided by ``domain.moderation.policy``.
"""
