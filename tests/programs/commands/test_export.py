"""``openmeet export`` and ``openmeet import``, for a whole site and for a person."""

import json
from pathlib import Path

from tests.openmeet.legacy_import.legacy_site import legacy_site
from typer.testing import CliRunner, Result

from programs.commands import export, import_, legacy


def settings(folder: Path, name: str) -> str:
    """The settings of an installation with this name. Mail is not configured, because none is sent."""
    file = folder / f"{name}.toml"
    file.write_text(f'[openmeet]\ndata_directory = "{folder / name}"\ndev_mode = true\n')
    return str(file)


def run(app: object, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)  # type: ignore[arg-type]


def test_a_failed_export_leaves_no_file(tmp_path: Path) -> None:
    here = settings(tmp_path, "here")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "openmeet.db").write_bytes(b"This is not a database. " * 100)
    site = tmp_path / "site.jsonl"
    failed = run(export.app, str(site), "--settings", here)
    assert (failed.exit_code, list(tmp_path.glob("*.jsonl"))) == (1, [])


def test_a_site_and_a_person(tmp_path: Path) -> None:
    """An export can be imported into another site. An existing file is not overwritten, and an existing site is not
    overwritten either.
    """
    here, there, third = (settings(tmp_path, name) for name in ("here", "there", "third"))
    dump = str(legacy_site(20, seed=3).dump(tmp_path / "old.jsonl"))
    assert run(legacy.app, "import", dump, "--settings", here).exit_code == 0
    site, person = str(tmp_path / "site.jsonl"), str(tmp_path / "person.json")
    exported = run(export.app, site, "--settings", here)
    assert exported.exit_code == 0, exported.output
    assert Path(site).stat().st_mode & 0o077 == 0
    assert run(export.app, site, "--settings", here).exit_code == 1
    taken = run(import_.app, site, "--settings", there)
    assert taken.exit_code == 0, taken.output
    assert run(import_.app, site, "--settings", there).exit_code == 1
    assert run(export.app, person, "--person", "person1@old.example", "--settings", there).exit_code == 0
    assert json.loads(Path(person).read_text())["person"]["email"] == "person1@old.example"
    brought = run(import_.app, person, "--settings", third)
    assert brought.exit_code == 0, brought.output
    assert "1 users" in brought.output
