"""docs/layout.md and .importlinter match the folders below src/."""

import configparser
import re
from pathlib import Path

from tests.docs.tables import DOCS

ROOT = DOCS.parent
SRC = ROOT / "src"
MAX_TREE_LINE = 165
NOT_DRAWN = frozenset({"__init__.py", "__main__.py"})


def in_document() -> dict[str, set[str]]:
    """The tree on the page: top-level packages with the names one level below. Folders end in a slash."""
    found: dict[str, set[str]] = {}
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\nsrc/\n(.*?)```", page, re.DOTALL)
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        name = line.split()[0]
        if indent == 2:
            package = name.rstrip("/")
            found[package] = set()
        elif indent == 4:
            found[package].add(name)
    return found


def drawn_inside(package: str) -> dict[str, set[str]]:
    """The third level below ``package``, if the page shows it."""
    found: dict[str, set[str]] = {}
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    (tree,) = re.findall(rf"^  {package}/.*\n((?:    .*\n)*)", page, re.MULTILINE)
    for line in tree.splitlines():
        name = line.split()[0]
        if len(line) - len(line.lstrip()) == 4:
            folder = name
        else:
            found.setdefault(folder.rstrip("/"), set()).add(name)
    return found


def in_source() -> dict[str, set[str]]:
    """The same tree, read from the folders."""
    return {
        package.name: {
            f"{one.name}/" if one.is_dir() else one.name
            for one in package.iterdir()
            if (one.is_dir() and any(one.rglob("*.py"))) or (one.suffix == ".py" and one.name not in NOT_DRAWN)
        }
        for package in packages()
    }


def packages() -> list[Path]:
    return [one for one in SRC.iterdir() if one.is_dir() and any(one.glob("*.py"))]


def contract(name: str) -> set[str]:
    """Every name in the layers of one contract, including the optional ones in parentheses."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return set(re.findall(r"\w+", parser[f"importlinter:contract:{name}"]["layers"]))


def test_every_line_of_the_tree_describes_its_package() -> None:
    """Each line has a description that fits into one line of a wide window."""
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\nsrc/\n(.*?)```", page, re.DOTALL)
    lines = tree.splitlines()
    assert [line for line in lines if len(line.split()) < 2 or len(line) > MAX_TREE_LINE] == []


def test_tree_is_as_drawn() -> None:
    """The two upper levels of the page and of src/ are the same."""
    assert in_document() == in_source()


def test_packages_of_the_platform_are_as_drawn() -> None:
    """The packages of the platform match the page. For ``emails`` only the package is drawn, because each e-mail is a
    module.
    """
    for folder, names in drawn_inside("openmeet").items():
        found = {
            f"{one.name}/" if one.is_dir() else one.name
            for one in (SRC / "openmeet" / folder).iterdir()
            if (one.is_dir() and any(one.rglob("*.py"))) or (one.suffix == ".py" and one.name not in NOT_DRAWN)
        }
        if folder == "emails":
            found = {name for name in found if name.endswith("/")}
        assert names == found, folder


def test_every_package_has_its_place_among_the_servers() -> None:
    assert {one.name for one in packages()} == contract("packages")


def test_every_package_is_in_the_order_of_layers() -> None:
    """Every package of a layered package is in the import contract, so that adding a package requires a decision who
    may import it.
    """
    for package in ("at_protocol", "groundwork", "aurora_locus", "openmeet"):
        rooms = {name.removesuffix("/").removesuffix(".py") for name in in_source()[package]}
        assert rooms <= contract(package), package
