"""What moderators of the site see and do: the queue, what waits, what is hidden, the log, the site's policy.

Who moderates is ``moderation.moderators``; every act here is one of ``moderation.acts``, with what follows from it elsewhere.
"""
