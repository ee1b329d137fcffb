"""The settings file of a network: one TOML file with a table for each program."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from groundwork.settings import SettingsRefused, read_file, suggestion

TABLES: Final = ("plc", "pds", "openmeet")


def read_table(file: Path | None, name: str) -> Mapping[str, Any]:
    """A program's table of the file, empty if there is no file or no such table. Raises SettingsRefused.

    Anything else at the top of the file is refused, because a misspelt table must not silently mean the defaults.
    """
    content = read_file(file)
    problems = [
        f"The settings file has the table [{key}], which no program reads.{suggestion(key, TABLES)}"
        if isinstance(value, dict)
        else f"The settings file has {key!r} outside of a table. Move it below [plc], [pds] or [openmeet]."
        for key, value in content.items()
        if key not in TABLES
    ]
    problems += [
        f"In the settings file, {key!r} must be a table: write [{key}] above its settings."
        for key in TABLES
        if not isinstance(content.get(key, {}), dict)
    ]
    if problems:
        raise SettingsRefused(problems)
    table: Mapping[str, Any] = content.get(name, {})
    return table
