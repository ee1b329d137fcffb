"""Estimate of the memory that a value takes, for caches with a limit in bytes.

It counts everything that a value leads to, and a part that occurs twice counts twice, so the estimate is high rather
than low. Objects of compiled libraries do not show what they hold; each counts a flat amount.
"""

import sys
from collections.abc import Mapping
from dataclasses import is_dataclass

# OpenSSL's structures of one elliptic curve key take about this much.
_OPAQUE_BYTES = 2_000

_PLAIN = (str, bytes, int, float, bool, type(None))


def memory_bytes(value: object) -> int:
    """Return the estimated bytes of a value: text, bytes, numbers, collections, dataclasses, exceptions of these."""
    total = 0
    pending = [value]
    while pending:
        one = pending.pop()
        total += sys.getsizeof(one)
        if isinstance(one, _PLAIN):
            continue
        if isinstance(one, Mapping):
            pending += one.keys()
            pending += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            pending += one
        elif isinstance(one, BaseException):
            pending += (one.args, vars(one))
        elif is_dataclass(one):
            pending += (getattr(one, name) for name in one.__dataclass_fields__)
        else:
            total += _OPAQUE_BYTES
    return total
