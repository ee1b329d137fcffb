"""The registration file and `openmeet matrix check`."""

import json
import stat
from pathlib import Path

import pytest

from groundwork.clock import SystemClock
from groundwork.errors import Refused
from groundwork.http.client import HttpClient
from groundwork.settings import Secret
from openmeet.matrix.calls import Homeserver
from openmeet.matrix.registration import find_problem, read_token, write_registration
from programs.cli import main
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import SERVER_NAME, Synapse
from tests.simulation.processes import free_port


def test_the_registration_reserves_only_our_names_on_that_server(tmp_path: Path) -> None:
    file, token = tmp_path / "registration.yaml", tmp_path / "matrix.token"
    write_registration(file, token, "chat.example.org", renew=False)
    found = json.loads(file.read_bytes())
    assert found["url"] is None
    assert found["rate_limited"] is False
    assert found["namespaces"]["users"] == [{"exclusive": True, "regex": r"^@_om_.*:chat\.example\.org$"}]
    assert found["as_token"] == read_token(token).reveal()
    assert found["as_token"] != found["hs_token"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in (file, token)} == {0o600}


def test_tokens_are_replaced_only_on_request(tmp_path: Path) -> None:
    file, token = tmp_path / "registration.yaml", tmp_path / "matrix.token"
    write_registration(file, token, "chat.example.org", renew=False)
    before = read_token(token).reveal()
    with pytest.raises(Refused, match="exists already"):
        write_registration(file, token, "chat.example.org", renew=False)
    assert read_token(token).reveal() == before
    write_registration(file, token, "chat.example.org", renew=True)
    assert read_token(token).reveal() != before


@pytest.mark.parametrize("content", [b"", b"x" * 2000, b"two\nlines", b"\xff\xfe"])
def test_an_invalid_token_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Refused, match="token"):
        read_token(tmp_path / "token")


@pytest.mark.anyio
@needs("synapse")
async def test_a_working_bridge_reports_no_problem(synapse: Synapse, homeserver: Homeserver) -> None:
    assert await find_problem(homeserver, "default", synapse.url) is None


@pytest.mark.anyio
@needs("synapse")
async def test_each_problem_is_explained_in_a_sentence(synapse: Synapse, http: HttpClient) -> None:
    clock, token = SystemClock(), read_token(synapse.token_file)
    nowhere = f"http://127.0.0.1:{free_port()}"
    for url, name, given, expected in (
        (nowhere, SERVER_NAME, token, "There is no homeserver at"),
        (synapse.url, SERVER_NAME, Secret("wrong"), "does not know our token"),
        (synapse.url, "other.test", token, "OPENMEET_MATRIX_SERVER_NAME"),
    ):
        found = await find_problem(Homeserver(http, clock, url, name, given), "default", url)
        assert found is not None
        assert expected in found


def test_an_operator_can_check_whether_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DEV_MODE": "true",
        "DATA_DIRECTORY": str(tmp_path),
        "MATRIX_URL": f"http://127.0.0.1:{free_port()}",
        "MATRIX_SERVER_NAME": SERVER_NAME,
    }.items():
        monkeypatch.setenv(f"OPENMEET_{name}", value)
    assert main(["matrix", "check"]) == 1
    assert "openmeet matrix registration" in capsys.readouterr().err
    assert main(["matrix", "registration"]) == 0
    assert "app_service_config_files" in capsys.readouterr().out
    assert main(["matrix", "check"]) == 1
    assert "There is no homeserver at" in capsys.readouterr().err
    assert main(["matrix", "registration"]) == 1
    capsys.readouterr()
    assert main(["matrix", "reconcile"]) == 0
    assert "No room is mirrored." in capsys.readouterr().out
    for name in ("MATRIX_URL", "MATRIX_SERVER_NAME"):
        monkeypatch.delenv(f"OPENMEET_{name}")
    assert main(["matrix", "reconcile"]) == 1
    assert "The Matrix bridge is off" in capsys.readouterr().err
