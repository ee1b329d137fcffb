"""Languages that are added by their catalogue alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openmeet.i18n import catalogue

AddLanguage = Callable[[str, str], None]


@pytest.fixture
def add_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddLanguage]:
    """Write the catalogue of a language into an empty folder of languages: its tag, and the text of the ``.po`` file."""
    languages = tmp_path / "languages"
    languages.mkdir()
    monkeypatch.setattr(catalogue, "LOCALES", languages)

    def forget() -> None:
        catalogue.available.cache_clear()
        catalogue.language.cache_clear()

    def add(tag: str, text: str) -> None:
        folder = languages / tag / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "openmeet.po").write_text(text, "utf-8")
        forget()

    forget()
    yield add
    monkeypatch.undo()
    forget()
