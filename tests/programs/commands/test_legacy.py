"""``openmeet legacy``: an operator inspects an older database, imports it and rolls it back."""

import json
from pathlib import Path

import pytest
from tests.openmeet.legacy_import.legacy_site import legacy_site
from typer.testing import CliRunner, Result

from programs.commands import legacy


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A dump, and the settings of an installation."""
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[openmeet]\ndata_directory = "{tmp_path / "data"}"\ndev_mode = true\ndev_mailbox = true\n', encoding="utf-8"
    )
    return str(legacy_site(30, seed=11).dump(tmp_path / "old.jsonl")), str(settings)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(legacy.app, arguments)


def test_legacy_database_is_inspected_imported_and_rolled_back(files: tuple[str, str]) -> None:
    """The dry run writes nothing, the import counts what exists, a second import changes nothing, and the rollback
    leaves nothing.
    """
    dump, settings = files
    looked = run("import", dump, "--dry-run", "--settings", settings)
    assert looked.exit_code == 0, looked.output
    assert "with recurrence columns and split points" in looked.output
    assert not (Path(settings).parent / "data").exists()
    counts = json.loads(run("analyse", dump, "--json").stdout)["counts"]
    for _ in range(2):
        brought = run("import", dump, "--settings", settings, "--json")
        assert brought.exit_code == 0, brought.output
        said = json.loads(brought.stdout)
        assert (said["expected"], said["found"], said["differences"]) == (counts, counts, {})
    assert "Undone." in run("rollback", dump, "--settings", settings).output
    again = run("rollback", dump, "--settings", settings)
    assert again.exit_code == 1


def test_unknown_time_zone_is_reported(files: tuple[str, str]) -> None:
    refused = run("analyse", files[0], "--time-zone", "Mars/Base")
    assert refused.exit_code == 1
    assert "Mars/Base" in str(refused.exception)
