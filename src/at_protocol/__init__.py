"""The AT Protocol as values and pure functions: no sockets, files, clock or randomness.

Callers pass in bytes, times and random values. Invalid input raises ``failures.Malformed``; incorrect use of this
package raises ``failures.Misuse``.
"""
