"""Finds the tests that a ledger names as ``path::test_name``, without importing them."""

import ast
import functools

from tests.docs.tables import DOCS

ROOT = DOCS.parent


@functools.cache
def tests_in(path: str) -> frozenset[str]:
    """Every test function of a file; empty if the file does not exist."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
    )


def exists(name: str) -> bool:
    """True if ``path::test_name`` is a test of this repository."""
    path, _, test = name.partition("::")
    return test in tests_in(path)
