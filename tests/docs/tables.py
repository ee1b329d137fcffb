"""Reads the Markdown tables of a ledger."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def rows(name: str) -> list[list[str]]:
    """The cells of every table row of ``docs/<name>``, without header rows and rulers. Backticks around a cell are
    removed.
    """
    return _rows((DOCS / name).read_text(encoding="utf-8"))


def bare(cell: str) -> str:
    """A cell without surrounding backticks."""
    return cell.strip("`")


def section(name: str, heading: str) -> list[list[str]]:
    """The rows of one second-level section (``## heading``) of the page."""
    text = (DOCS / name).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return _rows(dict(zip(parts[1::2], parts[2::2], strict=True))[heading])


def rows_below(name: str, heading: str) -> list[tuple[str, list[str]]]:
    """The rows of one second-level section, each with the third-level heading above its table."""
    text = (DOCS / name).read_text(encoding="utf-8")
    (part,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    areas = re.split(r"^### (.+)$", part, flags=re.MULTILINE)
    return [(area, row) for area, table in zip(areas[1::2], areas[2::2], strict=True) for row in _rows(table)]


def _rows(text: str) -> list[list[str]]:
    found: list[list[str]] = []
    in_table = False
    for line in text.splitlines():
        if not line.startswith("|"):
            in_table = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if set("".join(cells)) <= set("-: "):
            in_table = True
            continue
        if in_table:
            found.append(cells)
    return found
