"""The settings file of a network: a misspelt table or a key outside of the tables is refused."""

from pathlib import Path

import pytest

from groundwork.settings import SettingsRefused
from programs.settings_file import read_table


def _read(folder: Path, text: str) -> object:
    path = folder / "town.toml"
    path.write_text(text)
    return read_table(path, "openmeet")


def test_a_program_reads_its_table(tmp_path: Path):
    assert _read(tmp_path, "[openmeet]\nport = 1\n[pds]\nport = 2\n[plc]\nport = 3\n") == {"port": 1}
    assert _read(tmp_path, "[pds]\nport = 2\n") == {}
    assert read_table(None, "openmeet") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[openmet]\nport = 1\n", "has the table [openmet], which no program reads. Did you mean 'openmeet'?"),
        ("[web]\nport = 1\n", "has the table [web], which no program reads."),
        ("port = 1\n", "has 'port' outside of a table. Move it below [plc], [pds] or [openmeet]."),
        ("openmeet = 1\n", "'openmeet' must be a table: write [openmeet] above its settings."),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str, sentence: str):
    with pytest.raises(SettingsRefused) as refused:
        _read(tmp_path, text)
    assert str(refused.value).endswith(sentence)
