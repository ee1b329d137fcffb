"""What the operator wrote about the site: Markdown files in a folder, one per page and language."""

from functools import cache
from pathlib import Path


@cache
def own_text(folder: Path | None, name: str, language: str) -> str:
    """The operator's text in this language, else in the site's own; empty without one.

    ``terms.de.md`` stands before ``terms.md``. A file is read once: a program that runs keeps what it has read.
    """
    if folder is None:
        return ""
    for file in (folder / f"{name}.{language}.md", folder / f"{name}.md"):
        if file.is_file():
            return file.read_text("utf-8").strip()
    return ""
