"""The two ways protocol code can fail: invalid input from outside, and incorrect use by our own code."""

from typing import Any


class Malformed(ValueError):
    """Input from outside breaks a rule of the protocol.

    ``kind`` names what was being parsed (``"tid"``, ``"cbor"``, ``"commit"``), ``value`` is the offending input or a
    short piece of it, and ``why`` explains the problem so that a person can act on it. Every decoder in this package
    raises this for invalid input and nothing else.
    """

    def __init__(self, kind: str, value: object, why: str) -> None:
        value_text = repr(value)
        if len(value_text) > 100:  # keep large input out of the error message
            value_text = value_text[:97] + "..."
        super().__init__(f"{kind}: {why}: {value_text}")
        self.kind = kind
        self.value = value
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the three arguments (tests send results between processes)."""
        return (type(self), (self.kind, self.value, self.why))


class Misuse(TypeError):
    """Our own code made an impossible request. Always a programming error, never caused by input."""
