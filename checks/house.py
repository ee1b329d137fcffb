"""House rules that no linter checks: file sizes, names, imports inside functions, and text that must not be in the
repository.
"""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from checks import durations
from checks.unused_functions import unused_functions, uses_of

ROOT = Path(__file__).parent.parent
MAX_LINES = 500

FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"})

# `programs/cli.py` imports only the chosen command; roles and commands import their parts only when they start, inside
# functions (docs/layout.md, "Import rules").
MAY_IMPORT_INSIDE_FUNCTIONS = (
    "src/programs/cli.py",
    "src/programs/roles/",
    "src/programs/commands/",
)

# People write its class names in their own programs; it uses the same words for the same things.
SEPARATE_DISTRIBUTION = "src/openmeet_client/"

# Written so that this file does not match its own pattern.
FORBIDDEN_TEXT = re.compile(r"py[p]i\.org|pythonhos[t]ed|npm[j]s\.(org|com)|deb\.debi[a]n\.org|/(work|farm)/[a-z.]")

# The methods of readers and transactions that run a statement. Pages and operations call functions of the package that
# owns the table.
STATEMENTS = frozenset({"fetch", "fetch_one", "execute", "execute_many"})
WITHOUT_SQL = "src/openmeet/web/"

# The fields of a statement that contain other statements.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")

# A comment may refer to a document if the reader can open it.
DOCUMENT = re.compile(r"[\w./-]*[\w-]\.md\b")
DOCUMENTS_WRITTEN_LATER = frozenset({"docs/soak.md", "soak.md"})
# Files in a folder that the operator chooses: OPENMEET_TEXTS_DIRECTORY.
DOCUMENTS_OF_OPERATORS = frozenset(
    {"about.md", "accessibility.md", "privacy.md", "terms.md", "terms.de.md", "terms.en.md", "terms.en-US.md"}
)


def tracked() -> list[Path]:
    """Every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def imports_inside_functions(tree: ast.Module) -> list[int]:
    """Line numbers of import statements that are not at the top level of the module or in a guard at its top."""
    found = []
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, is_inside = waiting.pop()
        if is_inside and isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node.lineno)
        is_inside = is_inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        # Only statements contain imports. Expressions, which make up most of a tree, are skipped.
        waiting += [(one, is_inside) for field in _BLOCKS for one in getattr(node, field, ())]
    return sorted(found)


def imported_test_files(tree: ast.Module) -> list[str]:
    """The modules ``test_*.py`` from which a module imports. Readers of a test must not have to open another test file
    to know its set-up, so what several files share is in a module named after its subject.
    """
    modules = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            modules |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return sorted(one for one in modules if one.rpartition(".")[2].startswith("test_") and _is_module(one))


def _is_module(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements of a module. Expressions, which make up most of a tree, are skipped."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [one for field in _BLOCKS for one in getattr(node, field, ())]


def statements_of_sql(tree: ast.Module) -> list[int]:
    """Line numbers of calls that run an SQL statement."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STATEMENTS
    ]


def missing_documents(text: str) -> list[str]:
    """Documents that the text names and that are neither in the root nor in ``docs/``."""
    if ".md" not in text:
        return []
    named = set(DOCUMENT.findall(text)) - DOCUMENTS_WRITTEN_LATER - DOCUMENTS_OF_OPERATORS
    return sorted(name for name in named if not any((folder / name).is_file() for folder in (ROOT, ROOT / "docs")))


def problems_of_python(path: Path, name: str, text: str, tree: ast.Module) -> list[str]:
    """The problems of one Python file."""
    found = []
    lines = text.count("\n")
    if lines > MAX_LINES:
        found.append(f"{name}: {lines} lines, more than {MAX_LINES}: split it by subject")
    if name.startswith("tests/"):
        found += [
            f"{name}: imports {module}: move what tests share into a module named after its subject"
            for module in imported_test_files(tree)
        ]
    if name.startswith("src/") and path.stat().st_size and not ast.get_docstring(tree):
        found.append(f"{name}: the module has no docstring that says what it is for")
    found += [f"{name}: refers to {document}, which does not exist" for document in missing_documents(text)]
    if name.startswith("src/") and not name.startswith(MAY_IMPORT_INSIDE_FUNCTIONS):
        found += [f"{name}:{line}: import inside a function" for line in imports_inside_functions(tree)]
    if name.startswith(WITHOUT_SQL):
        found += [
            f"{name}:{line}: SQL in a page or operation: move it to the package that owns the table"
            for line in statements_of_sql(tree)
        ]
    return found


def class_names(tree: ast.Module) -> list[str]:
    """The classes at the top of a module."""
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def repeated_class_names(classes: Mapping[str, Iterable[str]]) -> list[str]:
    """Say which classes at the top of a module share a name, so that a search for a name finds one class.

    ``classes``: the names of the classes of each module, by path.
    """
    places = defaultdict(list)
    for name, found in classes.items():
        for one in found:
            places[one].append(name)
    return [
        f"{', '.join(names)}: each has a class {one}: name them after what they are"
        for one, names in sorted(places.items())
        if len(names) > 1
    ]


def problems() -> list[str]:
    """All broken house rules, one line each."""
    found = []
    classes, uses = {}, {}
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if FORBIDDEN_NAMES & {part.removesuffix(path.suffix) for part in Path(name).parts}:
            found.append(f"{name}: this name does not say what the file contains")
        if path.stat().st_size > 1_000_000:
            found.append(f"{name}: larger than 1 MB")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if match := FORBIDDEN_TEXT.search(text):
            found.append(f"{name}: {match.group()} does not belong in the repository")
        if path.suffix == ".py":
            try:
                tree = ast.parse(text)
            except SyntaxError as error:
                found.append(f"{name}:{error.lineno}: not valid Python")
                continue
            found += problems_of_python(path, name, text, tree)
            if name.startswith("src/"):
                uses[name] = uses_of(tree)
            if name.startswith("src/") and not name.startswith(SEPARATE_DISTRIBUTION):
                classes[name] = class_names(tree)
    recorded = durations.problems(durations.test_files(["tests"]), durations.read_record())
    return found + repeated_class_names(classes) + unused_functions(uses) + recorded
