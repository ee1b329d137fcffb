"""The two ways protocol code can fail: somebody sent something wrong, or we called it wrongly."""

from typing import Any


class Malformed(ValueError):
    """Input from outside breaks a rule of the protocol.

    ``kind`` names what was being read (``"tid"``, ``"cbor"``, ``"commit"``), ``value`` is the offending input or a
    short piece of it, ``why`` is a sentence a person can act on. Every decoder in this package raises this on bad
    input and nothing else.
    """

    def __init__(self, kind: str, value: object, why: str) -> None:
        shown = repr(value)
        if len(shown) > 100:  # an error message is not a place for a megabyte of somebody's record
            shown = shown[:97] + "..."
        super().__init__(f"{kind}: {why}: {shown}")
        self.kind = kind
        self.value = value
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the three arguments (results cross process borders in tests)."""
        return (type(self), (self.kind, self.value, self.why))


class Misuse(TypeError):
    """A caller inside this code base made an impossible request: a programming mistake, never input."""
