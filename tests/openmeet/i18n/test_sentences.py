"""No failure contains an English sentence: domain, network and web code raise reason codes with messages in the
catalogue.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import openmeet
from groundwork import errors

SOURCES: Final = Path(openmeet.__file__).parent

KINDS: Final = frozenset(
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.Failure)
)

# Modules and folders whose refusals are seen only by operators and in logs, and why. The platform stores the code of
# the failure kind.
IN_ENGLISH: Final = {
    "domain/places/additions.py": "a command of operators",
    "domain/places/geonames_files.py": "the same",
    "matrix/": "a homeserver that failed, in the log, and settings that contradict each other",
    "network/records/inspect.py": "a command of developers",
}


# A quick check whether a file can raise a failure. Parsing a file takes much longer.
_MAY_SAY: Final = re.compile(r"\b(?:" + "|".join(KINDS) + r")\s*\(|problems\s*\[")


def _named(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _texts(node: ast.expr) -> Iterator[str]:
    """String literals that the expression can evaluate to."""
    match node:
        case ast.IfExp():
            yield from _texts(node.body)
            yield from _texts(node.orelse)
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield ast.unparse(node)
        case ast.Dict():
            for value in node.values:
                yield from _texts(value)


def sentences(source: str) -> set[str]:
    """Literal sentences that are passed to failures or stored as a problem of a field."""
    found = set[str]()
    if not _MAY_SAY.search(source):
        return found
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _named(node) in KINDS:
            found.update(text for argument in node.args for text in _texts(argument))
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Subscript) and ast.unparse(target.value).endswith("problems")
            for target in node.targets
        ):
            found.update(_texts(node.value))
    return {text for text in found if " " in text}


def test_failures_have_codes() -> None:
    found = {
        path: said
        for file in sorted(SOURCES.rglob("*.py"))
        if (said := sentences(file.read_text("utf-8"))) and (path := file.relative_to(SOURCES).as_posix())
    }
    assert {path: said for path, said in found.items() if not path.startswith(tuple(IN_ENGLISH))} == {}
    done = {start for start in IN_ENGLISH if not any(path.startswith(start) for path in found)}
    assert done == set(), "these have codes now: remove them from the list"


def test_sentences_are_found() -> None:
    source = """
problems["name"] = "Write a name." if name else f"At most {most}."
raise InvalidInput("name", "Too long a name.")
raise InvalidForm({"name": "No name at all."})
raise Refused(Reason.FULL, places=f"{left} left")
"""
    assert sentences(source) == {
        "Write a name.",
        "f'At most {most}.'",
        "Too long a name.",
        "No name at all.",
    }
