"""What may be forgotten at any moment: cached values, advisory locks, replay guards, short-lived credentials.

Nothing that must hold rests on a cache alone: a lock is advice (a version in the database decides), a lost value is
computed again. Contract in ``contract``; ``in_process`` and ``redis`` pass the same tests; ``open_`` chooses by URL.
"""
