"""The AT Protocol as values and pure functions: no socket, file, clock or randomness.

Bytes, times and random values come in as arguments. Their fault is ``failures.Malformed``, ours ``failures.Misuse``.
"""
