"""Reading the Markdown tables of a ledger."""

from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def rows(name: str) -> list[list[str]]:
    """The cells of every table row of ``docs/<name>``, without heads and rulers; backticks around a cell are dropped."""
    found: list[list[str]] = []
    in_table = False
    for line in (DOCS / name).read_text(encoding="utf-8").splitlines():
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


def bare(cell: str) -> str:
    """A cell without the backticks around it."""
    return cell.strip("`")
