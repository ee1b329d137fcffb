"""Hostile values drawn from a seed: texts that break parsers, numbers at limits, values that nearly fit a schema."""

import json
import random
import re
from typing import Any

from at_protocol.lexicon import document

# Printed by each test that uses it, so that a failure can be repeated.
SEED = 20260301

TEXTS = (
    "",
    " ",
    "a" * 10_000,
    "\x00",
    "a\x00b",
    "\x01\x1b[31m",
    "\u202egnp.exe",
    "\u2066\u200b\ufeff",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "e\u0301" * 50,
    "١٢٣",
    "ａｂｃ",
    "'; drop table accounts; --",
    '"><script>alert(1)</script>',
    "javascript:alert(1)",
    "{{7*7}}${7*7}%s%n%x",
    "../../../../etc/passwd",
    "..",
    ".",
    "a/b",
    "line\r\nset-cookie: a=b",
    "http://[::1",
    "http://169.254.169.254/latest",
    "https://exa mple/",
    "true",
    "null",
    "NaN",
    "-1",
    "0",
    "9" * 400,
    "9223372036854775808",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "2026-02-30T00:00:00Z",
    "2026-03-29T02:30",
    "+99:99",
    "did:plc:",
    "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
    "did:web:localhost%3A1",
    "did:web:169.254.169.254",
    "did:" + "a" * 3000,
    "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/org.example.note/self",
    "at://x/",
    "bafyreibadcid",
    "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454",
    "zzzzzzzzzzzzz",
    "3jzfcijpj2z2a",
    "a.b",
    "ada.test",
    "ADA.TEST",
    "a@b",
    "a@example.org\nbcc: b@example.org",
    "org.example.note",
)

NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**63, 10**40, 0.0, 1.5, -0.0, 1e308)

# Bodies that are not JSON, or that two parsers would read differently.
BODIES = (
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":1e999}',
    b'{"a":1,"a":2}',
    b'{"a":"\\ud800"}',
    b'{"\\u0000":1}',
    b'{"a":' + b"9" * 5000 + b"}",
    b"[" * 50_000,
    b'{"a":' * 300 + b"1" + b"}" * 300,
    b'"' + b"x" * 1000 + b'"',
)

_WORDS = (
    "traceback",
    "sqlite",
    "asyncpg",
    "psycopg",
    "postgres",
    "insert into",
    "site-packages",
    "<class",
    "object at",
)
_FORMS = {"select ": r"select .* from", ".py": r"\.py\b", "0x": r"0x[0-9a-f]{8}"}
# Keyed by how each match begins: searching for the beginnings takes a sixteenth of the time, and most responses
# contain none of them.
_INTERNAL = {
    begins: re.compile(pattern, re.IGNORECASE)
    for begins, pattern in (*((word, re.escape(word)) for word in _WORDS), *_FORMS.items())
}


def internals_in(answer: bytes, sent: str) -> list[str]:
    """Internal terms that a response contains and the request did not."""
    text = answer.decode("utf-8", "replace")
    lowered = text.lower()
    patterns = [pattern for begins, pattern in _INTERNAL.items() if begins in lowered]
    found = [match[0] for pattern in patterns for match in pattern.finditer(text)]
    return [word for word in found if word not in sent]


class Garbage:
    """A source of hostile values with one seed."""

    def __init__(self, seed: int, known: dict[str, list[str]] | None = None) -> None:
        self.dice = random.Random(seed)
        # Existing values by field name. Half of all attacks start from something valid.
        self._known = known or {}

    def text(self, name: str = "") -> str:
        known = self._known.get(name)
        if known and self.dice.random() < 0.6:
            return self.dice.choice(known)
        if self.dice.random() < 0.2:
            return "".join(
                chr(self.dice.choice((self.dice.randrange(1, 0x80), self.dice.randrange(0xA0, 0xD7FF))))
                for _ in range(9)
            )
        return self.dice.choice(TEXTS)

    def number(self) -> float:
        return self.dice.choice(NUMBERS)

    def anything(self, depth: int = 0) -> Any:
        """Any JSON value."""
        kind = self.dice.randrange(8 if depth < 4 else 5)
        if kind == 0:
            return self.dice.choice((None, True, False))
        if kind == 1:
            return self.number()
        if kind in (2, 3, 4):
            return self.text()
        if kind == 5:
            return [self.anything(depth + 1) for _ in range(self.dice.randrange(4))]
        if kind == 6:
            return {self.dice.choice(("$link", "$bytes", "$type")): self.anything(depth + 1)}
        return {self.text()[:40]: self.anything(depth + 1) for _ in range(self.dice.randrange(4))}

    def near(self, kind: Any, name: str = "") -> Any:
        """A value for a Lexicon field, mostly of the right shape, with arbitrary leaves."""
        if self.dice.random() < 0.06:
            return self.anything()
        match kind:
            case document.ObjectType():
                return {
                    key: self.near(field, key)
                    for key, field in kind.properties.items()
                    if self.dice.random() < (0.97 if key in kind.required else 0.4)
                }
            case document.ParamsType():
                return {
                    key: self.near(field, key)
                    for key, field in kind.properties.items()
                    if self.dice.random() < (0.97 if key in kind.required else 0.5)
                }
            case document.ArrayType():
                return [self.near(kind.items, name) for _ in range(self.dice.randrange(4))]
            case document.BooleanType():
                return self.dice.random() < 0.5
            case document.IntegerType():
                return self.dice.choice((0, 1, 2, 50, 1000, 2**63 - 1, -1))
            case document.StringType():
                return self.text(name)
            case _:
                return self.anything()

    def encoded(self, value: Any) -> bytes:
        """The value as JSON, or sometimes something that is not JSON."""
        if self.dice.random() < 0.08:
            return self.dice.choice(BODIES)
        return json.dumps(value, allow_nan=True).encode()

    def is_hurt(self, share: float) -> bool:
        return self.dice.random() < share
