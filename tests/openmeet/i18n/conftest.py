"""Languages that are added by their catalogue file alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundwork.i18n import catalogue as shared
from openmeet.i18n import catalogue

AddLanguage = Callable[[str, str], None]


@pytest.fixture
def add_language(tmp_path: Path) -> Iterator[AddLanguage]:
    """Write the catalogue of a language into an empty folder. Takes the language tag and the text of the ``.po`` file."""
    languages = tmp_path / "languages"
    languages.mkdir()
    before = catalogue.CATALOGUE.folder

    def read_from(folder: Path) -> None:
        # The dataclass is frozen, and only tests change it.
        object.__setattr__(catalogue.CATALOGUE, "folder", folder)
        shared._available.cache_clear()
        shared._language.cache_clear()

    def add(tag: str, text: str) -> None:
        folder = languages / tag / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "openmeet.po").write_text(text, "utf-8")
        read_from(languages)

    read_from(languages)
    yield add
    read_from(before)
