"""Cache: values that can be lost at any moment, replay guards, short-lived credentials.

Correctness never depends on the cache alone: a lost value is computed again. ``contract`` has the interface;
``in_process`` and ``redis`` pass the same tests; ``open_`` chooses by URL.
"""
