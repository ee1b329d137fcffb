"""docs/layout.md and .importlinter match the folders below src/."""

import ast
import configparser
import re
from pathlib import Path

from tests.docs.tables import DOCS

ROOT = DOCS.parent
SRC = ROOT / "src"
MAX_TREE_LINE = 165
# Drawn as one package: each folder is a namespace of methods.
NOT_DRAWN = ("aurora_locus/xrpc/",)
# Folders inside a package that the line of the package covers.
INNER = ("migrations", "versions", "alembic_environment", "second_factors", "pages", "reasons", "pds")


def tree() -> list[str]:
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"```\nsrc/\n(.*?)```", page, re.DOTALL)
    return [line for line in drawn.splitlines() if line.strip()]


def drawn_paths() -> list[str]:
    """Every path of the tree below ``src/``. A line begins with one name, which is below the name of the line with less
    indentation. Folders end in a slash.
    """
    found: list[str] = []
    above: dict[int, str] = {0: ""}
    for line in tree():
        indent = len(line) - len(line.lstrip())
        above[indent] = above[indent - 2] + line.split()[0]
        found.append(above[indent])
    return found


def packages() -> list[Path]:
    return [one for one in SRC.iterdir() if one.is_dir() and any(one.glob("*.py"))]


def packages_of_source() -> set[str]:
    """Every package below ``src/`` that the tree must list."""
    below = {one.parent.relative_to(SRC).as_posix() + "/" for one in SRC.rglob("*.py")} - {"./"}
    return {one for one in below if not one.startswith(NOT_DRAWN) or one in NOT_DRAWN if Path(one).name not in INNER}


def rooms_of(package: str) -> set[str]:
    """The names one level below a package."""
    return {one.stem for one in (SRC / package).iterdir() if one.suffix == ".py" or any(one.rglob("*.py"))} - {
        "__init__",
        "__main__",
    }


def contract(name: str) -> set[str]:
    """Every name in the layers of one contract, including the optional ones in parentheses."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return set(re.findall(r"\w+", parser[f"importlinter:contract:{name}"]["layers"]))


def test_every_line_of_the_tree_describes_its_package() -> None:
    """Each line has a description that fits into one line of a wide window."""
    assert [line for line in tree() if len(line.split()) < 2 or len(line) > MAX_TREE_LINE] == []


def test_every_path_of_the_tree_exists() -> None:
    paths = drawn_paths()
    assert [path for path in paths if not (SRC / path).exists()] == []
    assert len(paths) == len(set(paths))


def test_every_package_is_in_the_tree() -> None:
    assert packages_of_source() - set(drawn_paths()) == set()


def test_every_module_says_what_it_holds() -> None:
    """The tree lists packages only, so the first line of each module has to describe it."""
    silent = [
        one.relative_to(SRC).as_posix()
        for one in SRC.rglob("*.py")
        if len((ast.get_docstring(ast.parse(one.read_text(encoding="utf-8"))) or "").partition("\n")[0]) < 10
    ]
    assert silent == []


def test_every_package_has_its_place_among_the_servers() -> None:
    assert {one.name for one in packages()} == contract("packages")


def test_every_package_is_in_the_order_of_layers() -> None:
    """Every package of a layered package is in the import contract, so that adding a package requires a decision who
    may import it.
    """
    for package in ("at_protocol", "groundwork", "aurora_locus", "openmeet"):
        assert rooms_of(package) <= contract(package), package
