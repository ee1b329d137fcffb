"""Generate the tables in ``docs/privacy.md`` below its marker from ``openmeet.domain.personal_data``.

``python -m checks.privacy`` writes them; ``--check`` checks whether they are up to date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from openmeet.domain.personal_data.accounts import ACCOUNT_TABLES
from openmeet.domain.personal_data.chat import CHAT_TABLES
from openmeet.domain.personal_data.content import CONTENT_TABLES
from openmeet.domain.personal_data.groups import GROUP_TABLES
from openmeet.domain.personal_data.messages import MESSAGE_TABLES
from openmeet.domain.personal_data.model import ColumnContent, StoredColumns, StoredTable
from openmeet.domain.personal_data.network import NETWORK_TABLES
from openmeet.domain.personal_data.tables import tables_with_remaining_rows

PAGE: Final = Path("docs/privacy.md")
MARKER: Final = "<!-- From here on: made by `make privacy` from src/openmeet/domain/personal_data. -->"

_SECTIONS: Final = (
    ("People and sign-in", ACCOUNT_TABLES),
    ("Notifications, calendars, imports", MESSAGE_TABLES),
    ("Events, series and answers", CONTENT_TABLES),
    ("Groups and moderation", GROUP_TABLES),
    ("Chat", CHAT_TABLES),
    ("Records in the network, jobs, the site", NETWORK_TABLES),
)


def made() -> str:
    """The generated part of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield MARKER
    yield ""
    yield "## What stays when an account is deleted"
    yield ""
    yield "| table | what it holds, and why | what happens to it | kept |"
    yield "|---|---|---|---|"
    for table in tables_with_remaining_rows():
        yield f"| `{table.name}` | {table.holds} | {table.after_deletion} | {table.kept.value} |"
    for title, tables in _SECTIONS:
        yield ""
        yield f"## {title}"
        for table in tables:
            yield from _table(table)


def _table(table: StoredTable) -> Iterator[str]:
    yield ""
    yield f"### {table.name}"
    yield ""
    yield table.holds
    yield f"Kept {table.kept.value}. When the account is deleted: {table.after_deletion}."
    yield ""
    yield "| columns | personal? | kept | who may see it |"
    yield "|---|---|---|---|"
    for group in table.columns:
        yield f"| {_names(group)} | {group.content.value} | {(group.kept or table.kept).value} | {_seen_by(group)} |"


def _names(group: StoredColumns) -> str:
    return ", ".join(f"`{name}`" for name in group.names)


def _seen_by(group: StoredColumns) -> str:
    return "as the rest of the row" if group.content is ColumnContent.PLAIN else group.audience.value


def problems() -> list[str]:
    """One sentence per outdated part."""
    before, found, _ = PAGE.read_text().partition(MARKER)
    if not found or PAGE.read_text() != before + made():
        return [f"{PAGE} is stale: run make privacy"]
    return []


def main() -> int:
    """Write the generated part, or check it."""
    if sys.argv[1:] == ["--check"]:
        found = problems()
        print("\n".join(found))
        return 1 if found else 0
    before = PAGE.read_text().partition(MARKER)[0]
    PAGE.write_text(before + made())
    return 0


if __name__ == "__main__":
    sys.exit(main())
