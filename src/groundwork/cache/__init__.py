"""Cache: values that can be lost at any moment, advisory locks, replay guards, short-lived credentials.

Correctness never depends on the cache alone: a lock is only advisory (a version in the database decides), and a lost
value is computed again. ``contract`` has the interface; ``in_process`` and ``redis`` pass the same tests; ``open_``
chooses by URL.
"""
