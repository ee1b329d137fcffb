"""One syntax for SQL statements, translated to each driver's syntax once per text.

``:name`` is a parameter. Inside strings, quoted identifiers, comments and dollar quotes it is plain text, and ``::`` is
PostgreSQL's cast. ``in :names`` and ``not in :names`` take a list or tuple of up to 32,766 values, which can be empty.
Array slices with a parameter (``a[x:y]``) and backslash strings are outside the common subset and not supported.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

_TOKENS = re.compile(
    r"""
      (?P<text> '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
              | \$(?P<tag>(?:[a-z_]\w*)?)\$.*?\$(?P=tag)\$ | :: )
    | \b(?P<in>(?P<not>not\s+)?in\s+):(?P<list>[a-z_]\w*)
    | (?<![\w:]):(?P<name>[a-z_]\w*)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)

# SQLite's SQLITE_MAX_VARIABLE_NUMBER since 3.32. PostgreSQL takes a list as one array.
MAX_LIST = 32_766


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """A translated statement: the driver's text and the names of its parameters in the order that the driver expects.

    ``name_set`` is the same names as a set, and ``lists`` are those after ``in``. ``pieces`` (SQLite only) is the text
    cut at those places.
    """

    text: str
    names: tuple[str, ...]
    name_set: frozenset[str]
    lists: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()

    def check(self, parameters: Mapping[str, object]) -> None:
        """Raise TypeError unless exactly the expected parameters are given, with lists where the statement expects
        lists.
        """
        if parameters.keys() != self.name_set:
            odd_names = ", ".join(sorted(parameters.keys() ^ self.name_set))
            raise TypeError(f"parameters that do not fit the statement: {odd_names}")
        for name in self.lists:
            if not isinstance(parameters[name], (list, tuple)):
                raise TypeError(f"parameter {name} stands after IN and must be a list or tuple")


@functools.lru_cache(maxsize=4096)
def for_postgres(sql: str) -> SqlStatement:
    """Translate a statement for PostgreSQL: ``:name`` becomes ``$n`` (one number per name), ``in :names`` becomes ``=
    any($n)``.
    """
    numbers: dict[str, int] = {}
    lists: dict[str, None] = {}
    parts: list[str] = []
    done = 0
    for match in _TOKENS.finditer(sql):
        if name := match["name"]:
            replacement = f"${numbers.setdefault(name, len(numbers) + 1)}"
        elif name := match["list"]:
            lists[name] = None
            operator = "<> all" if match["not"] else "= any"
            replacement = f"{operator}(${numbers.setdefault(name, len(numbers) + 1)})"
        else:
            continue
        parts += (sql[done : match.start()], replacement)
        done = match.end()
    parts.append(sql[done:])
    return SqlStatement("".join(parts), tuple(numbers), frozenset(numbers), tuple(lists))


@functools.lru_cache(maxsize=4096)
def for_sqlite(sql: str) -> SqlStatement:
    """Translate a statement for SQLite. SQLite reads ``:name`` itself, so only the places of lists are recorded;
    ``spread`` fills them.
    """
    names: dict[str, None] = {}
    lists: list[str] = []
    pieces: list[str] = []
    done = 0
    for match in _TOKENS.finditer(sql):
        if name := match["name"]:
            names[name] = None
        elif name := match["list"]:
            names[name] = None
            lists.append(name)
            pieces.append(sql[done : match.end("in")])
            done = match.end()
    pieces.append(sql[done:])
    return SqlStatement(sql, tuple(names), frozenset(names), tuple(lists), tuple(pieces))


def spread(statement: SqlStatement, parameters: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Return SQLite's text and values for a statement with lists.

    Lengths are rounded up to a power of two by repeating the last value. This does not change the meaning of ``in`` and
    lets SQLite's cache of prepared statements work.
    """
    values = {name: value for name, value in parameters.items() if name not in statement.lists}
    sizes = []
    for name in statement.lists:
        items = parameters[name]
        if not isinstance(items, (list, tuple)):
            raise TypeError(f"parameter {name} stands after IN and must be a list or tuple")
        if len(items) > MAX_LIST:
            raise ValueError(f"parameter {name} has {len(items)} values; at most {MAX_LIST} are possible")
        sizes.append(min(1 << max(len(items) - 1, 0).bit_length(), MAX_LIST) if items else 0)
    text, slots = _with_slots(statement, tuple(sizes))
    for name, own in zip(statement.lists, slots, strict=True):
        items = cast("Sequence[object]", parameters[name])  # checked above
        values.update(zip(own, items, strict=False))
        if items:
            values.update(dict.fromkeys(own[len(items) :], items[-1]))
    return text, values


# There are only a few sizes, because lengths are rounded.
@functools.lru_cache(maxsize=1024)
def _with_slots(statement: SqlStatement, sizes: tuple[int, ...]) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return the text with this many placeholders in each list, and the names of the placeholders."""
    text = [statement.pieces[0]]
    slots = []
    for name, piece, size in zip(statement.lists, statement.pieces[1:], sizes, strict=True):
        own = tuple(f"{name}__{number}" for number in range(size))
        text += ("(", ", ".join(f":{slot}" for slot in own), ")", piece)
        slots.append(own)
    return "".join(text), tuple(slots)


def renamed(sql: str, ending: str) -> str:
    """Return the statement with this suffix added to the names of its parameters."""
    return _TOKENS.sub(lambda match: f"{match[0]}{ending}" if match["name"] or match["list"] else match[0], sql)


def split(script: str) -> Iterator[str]:
    """Split a script into statements at semicolons outside strings and comments. Empty statements are left out."""
    done = 0
    for match in _TOKENS.finditer(script):
        if match["end"]:
            yield from _unless_empty(script[done : match.start()])
            done = match.end()
    yield from _unless_empty(script[done:])


def _unless_empty(text: str) -> Iterator[str]:
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).strip()
    if bare:
        yield text.strip()
