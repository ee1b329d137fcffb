"""Cache: values that may be lost at any moment, advisory locks, replay guards, short-lived credentials.

Correctness never depends on the cache alone: a lock is advice (a version in the database decides), a lost value is
computed again. Contract in ``contract``; ``in_process`` and ``redis`` pass the same tests; ``open_`` chooses by URL.
"""
