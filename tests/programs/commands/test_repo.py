"""``openmeet repo verify`` on real files, valid and broken."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.external_dependencies import fixture_path, needs
from typer.testing import CliRunner, Result

from programs.commands import repo

PAUL, PAULS_DOCUMENT = "paul_staging.repo.car", "paul_staging.didDoc.json"
OLD = "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu.car"


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(repo.app, ["verify", *arguments])


def _car(name: str) -> str:
    return str(fixture_path(f"data/cars/{name}"))


def _json(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = _run(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


@needs("fixtures")
def test_a_good_file():
    result = _run(_car(PAUL), "--did-doc", _car(PAULS_DOCUMENT))
    assert result.exit_code == 0
    for said in (
        "51 nodes",
        "215 blocks unreachable",
        "6 repeated",
        "records    185",
        "signature  by did:key:zQ3sh",
        "good",
    ):
        assert said in result.stdout


@needs("fixtures")
def test_the_report_is_printed_as_json():
    code, report = _json(_car("jetstream-corpus-repo.car"))
    assert code == 0
    assert report["ok"] is True
    assert (report["records"], report["nodes"], report["blocks"]) == (23, 5, 29)
    assert report["signature"] == "not checked"
    assert sum(report["collections"].values()) == 23


@needs("fixtures")
@pytest.mark.parametrize(
    ("name", "document", "why"),
    [
        ("greenground.repo.car", "greenground.didDoc.json", "not the document of"),
        (OLD, "did_plc_z5vnbioquyhivxirw3bbljmu.didDoc.json", "signature"),
        (PAUL, "paul_staging.repo.car", "not JSON"),
    ],
)
def test_invalid_signature_is_reported(name, document, why):
    code, report = _json(_car(name), "--did-doc", _car(document))
    assert code == 1
    assert why in report["wrong"]
    assert report["signature"] == "wrong"


@needs("fixtures")
def test_a_slice_is_not_a_repository():
    code, report = _json(_car("repo_slice.car"))
    assert (code, report["ok"]) == (1, False)
    assert "not in the file" in report["wrong"]


@needs("fixtures")
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: data[:-1], "cut off"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "hash"),
        (lambda data: b"", "ends"),
        (lambda data: b"<html>", "header"),
    ],
    ids=["truncated", "flipped bit", "empty", "another kind of file"],
)
def test_broken_file_is_reported_as_invalid(tmp_path: Path, spoil, why):
    broken = tmp_path / "broken.car"
    broken.write_bytes(spoil(fixture_path("data/cars/repo-stream-tiny.car").read_bytes()))
    result = _run(str(broken))
    assert result.exit_code == 1
    assert "WRONG" in result.stdout
    assert why in result.stdout


def test_missing_file_is_misuse(tmp_path: Path):
    assert _run(str(tmp_path / "absent.car")).exit_code == 2
