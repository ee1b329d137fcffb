"""Find public functions in ``src/`` that nothing in ``src/`` uses. Such a function is deleted, or moved to the tests that
call it.

A use is a mention in the same module outside the function itself, an import, an attribute of the imported module, or
that the module is passed on as a value (pages and template filters are listed so). Functions with a decorator are used
by what decorates them, unless it only wraps them.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Alembic calls them.
_MIGRATIONS = ".migrations.versions."

# People call it from their own programs.
_SEPARATE_DISTRIBUTION = "openmeet_client."

_WRAPPERS = frozenset({"asynccontextmanager", "cache", "contextmanager", "lru_cache", "overload"})

# Each with a reason.
ALLOWED = {
    "at_protocol.data.cbor_pure:decode": "loaded by name if the compiled codec is missing",
    "at_protocol.lexicon.linter:parse_document": "the strict reader of a file, for authors of Lexicons",
    "at_protocol.lexicon.validate:validate_output": "the counterpart of validate_input: tests check each response with it",
    "at_protocol.repo.export:export": "the reference that the streamed export of the PDS is compared with",
    "groundwork.database.alembic_run:upgrade": "called by name from the environment of Alembic",
    "groundwork.http.server:serving": "the server for one block, as tests use it",
    "groundwork.outbox.dispatcher:run_once": "one round of the loop, so that tests need not wait for it",
    "groundwork.workers.process:main": "the entry point of a worker process",
    "openmeet.network.ingestion.processor:run_once": "one round of the loop, so that tests need not wait for it",
    "openmeet.network.publishing.schedule:run_once": "one round of the loop, so that tests need not wait for it",
    "openmeet.recurrence.expansion:clear": "empties private caches before a measurement",
}


@dataclass(frozen=True, slots=True)
class ModuleUses:
    """What one module has and uses. Names of other modules and their parts are written ``module.part``.

    ``unmentioned``: its public functions that it does not mention elsewhere.
    """

    unmentioned: frozenset[str]
    imported: frozenset[str]
    attributes: frozenset[str]
    values: frozenset[str]


def uses_of(tree: ast.Module) -> ModuleUses:
    """Read one module."""
    names: dict[str, str] = {}
    attributes: list[ast.Attribute] = []
    mentioned: list[ast.Name] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            attributes.append(node)
        elif isinstance(node, ast.Name):
            mentioned.append(node)
        elif isinstance(node, ast.Import):
            names |= {one.asname or one.name: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    bases = {id(one.value) for one in attributes}
    dotted = {(_dotted(one.value), one.attr) for one in attributes}
    counts = Counter(one.id for one in mentioned)
    return ModuleUses(
        frozenset(one.name for one in _public_functions(tree) if counts[one.name] == _mentions(one, one.name)),
        frozenset(names.values()),
        frozenset(f"{names[base]}.{name}" for base, name in dotted if base in names),
        frozenset(names[one.id] for one in mentioned if one.id in names and id(one) not in bases),
    )


def unused_functions(modules: Mapping[str, ModuleUses]) -> list[str]:
    """Say which public functions at the top of a module nothing uses. ``modules``: by path below ``src/``."""
    by_name = {_module(path): uses for path, uses in modules.items()}
    used: set[str] = set()
    for uses in by_name.values():
        used |= uses.imported | uses.attributes
    values = {value for uses in by_name.values() for value in uses.values}
    unused = {
        f"{module}:{function}"
        for module, uses in by_name.items()
        if module not in values and _MIGRATIONS not in module and not module.startswith(_SEPARATE_DISTRIBUTION)
        for function in uses.unmentioned
        if f"{module}.{function}" not in used
    }
    gone = sorted(ALLOWED.keys() - unused)
    return [
        *(
            f"{name}: nothing in src/ uses it: delete it, or move it to the tests"
            for name in sorted(unused - ALLOWED.keys())
        ),
        *(f"{name}: allowed in checks/unused_functions.py, but used or gone" for name in gone),
    ]


def _module(path: str) -> str:
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _dotted(node: ast.expr) -> str:
    """``a.b`` for the expression ``a.b``; empty for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def _public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            decorators = {ast.unparse(one).partition("(")[0].rpartition(".")[2] for one in node.decorator_list}
            if decorators <= _WRAPPERS:
                yield node


def _mentions(node: ast.AST, name: str) -> int:
    return sum(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))
