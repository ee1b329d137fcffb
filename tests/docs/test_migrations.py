"""The migrations of each schema form one line: if two followed the same one, the newest would be undefined."""

import re

import pytest

from tests.docs.tables import DOCS

FOLDERS = sorted((DOCS.parent / "src").rglob("migrations/versions"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(DOCS.parent / "src")))
def test_migrations_form_one_line(folder) -> None:
    """Each migration except the first names the one before it, in the order of their numbers."""
    found = {}
    for file in sorted(folder.glob("[0-9]*.py")):
        text = file.read_text(encoding="utf-8")
        (revision,) = re.findall(r'^revision(?:: str)? = "(\w+)"', text, re.MULTILINE)
        (before,) = re.findall(r"^down_revision(?:: [^=]+)? = (.+)$", text, re.MULTILINE)
        found[revision] = before.strip('"')
    ordered = sorted(found)
    assert ordered, folder
    assert [found[revision] for revision in ordered] == ["None", *ordered[:-1]]
