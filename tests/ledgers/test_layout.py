"""docs/layout.md and .importlinter say what stands below src/."""

import configparser
import re
from pathlib import Path

from tests.ledgers.tables import DOCS, bare, rows

ROOT = DOCS.parent
SRC = ROOT / "src"
NOT_A_ROOM = frozenset({"__init__.py", "__main__.py"})


def drawn() -> dict[str, set[str]]:
    """The tree of the page: packages of the first level with the names of the second; folders end in a slash."""
    found: dict[str, set[str]] = {}
    page = (DOCS / "layout.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\nsrc/\n(.*?)```", page, re.DOTALL)
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        name = line.split()[0]
        if indent == 2:
            package = name.rstrip("/")
            found[package] = set()
        else:
            found[package].add(name)
    return found


def standing() -> dict[str, set[str]]:
    """The same of the folders themselves."""
    return {
        package.name: {
            f"{one.name}/" if one.is_dir() else one.name
            for one in package.iterdir()
            if (one.is_dir() and any(one.rglob("*.py"))) or (one.suffix == ".py" and one.name not in NOT_A_ROOM)
        }
        for package in packages()
    }


def packages() -> list[Path]:
    return [one for one in SRC.iterdir() if one.is_dir() and any(one.glob("*.py"))]


def contract(name: str) -> set[str]:
    """Every name in the layers of one contract, optional ones (in parentheses) included."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return set(re.findall(r"\w+", parser[f"importlinter:contract:{name}"]["layers"]))


def test_tree_is_as_drawn() -> None:
    """The two upper levels of the page and of src/ are the same."""
    assert drawn() == standing()


def test_every_package_has_its_place_among_the_servers() -> None:
    assert {one.name for one in packages()} == contract("packages")


def test_every_room_has_its_place_in_the_order_of_layers() -> None:
    """No room of a layered package can be added without saying who may import it."""
    for package in ("at_protocol", "groundwork", "aurora_locus", "openmeet"):
        rooms = {name.removesuffix("/").removesuffix(".py") for name in standing()[package]}
        assert rooms <= contract(package), package


def test_reserved_names_are_those_that_hold_a_place_and_do_not_exist() -> None:
    documented = {
        bare(package): {bare(one.strip()) for one in names.split(",")} for package, names in rows("layout.md")
    }
    for package, reserved in documented.items():
        rooms = {name.removesuffix("/").removesuffix(".py") for name in standing()[package]}
        assert reserved == contract(package) - rooms, package
    assert contract("groundwork") <= {name.removesuffix("/").removesuffix(".py") for name in standing()["groundwork"]}
