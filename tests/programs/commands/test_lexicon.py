"""``openmeet lexicon list|publish`` against a real PDS."""

import json
from pathlib import Path

import pytest
from tests.interop.conftest import Network, network
from tests.programs.commands.servers import environment_of, openmeet
from typer.testing import CliRunner, Result

from openmeet.network.publishing.lexicons import own_documents
from programs.commands import lexicon

__all__ = ["network"]

AUTHORITY = "org.example.events"


def run(folder: Path, *arguments: str, **environment: str) -> Result:
    """Run a command that needs no network."""
    settings = {"OPENMEET_DATA_DIRECTORY": str(folder), "OPENMEET_DEV_MAILBOX": "true", **environment}
    return CliRunner().invoke(lexicon.app, arguments, env=settings)


def test_names_are_those_of_the_operators_authority(tmp_path: Path) -> None:
    given = json.loads(run(tmp_path, "list", "--json").stdout)
    assert "openmeet.lexicon.getEvent" in given
    own = run(tmp_path, "list", OPENMEET_LEXICON_AUTHORITY=AUTHORITY)
    assert own.stdout.split() == [name.replace("openmeet.lexicon", AUTHORITY) for name in given]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--account", "not a name"), "handle or the DID"),
        (("--account", "ana.test", "--password-file", "nothing.txt"), "does not exist"),
        ((), "--account"),
    ],
)
def test_wrong_arguments_are_misuse(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    misused = run(tmp_path, "publish", *arguments)
    assert (misused.exit_code, misused.stdout) == (2, "")
    assert why in misused.stderr


async def test_lexicons_are_published_once_and_the_dns_entry_is_printed(network: Network, tmp_path: Path) -> None:
    """Lexicons are published once and the DNS entry is printed. The repository then has all of them, and a second run
    writes nothing.
    """
    account = await network.sign_up("lexicons")
    password = tmp_path / "password"
    password.write_text(account.password + "\n")
    environment = environment_of(network, tmp_path, OPENMEET_LEXICON_AUTHORITY=AUTHORITY)
    publish = ("lexicon", "publish", "--account", account.handle, "--password-file", str(password))
    names = [str(nsid) for nsid, _ in own_documents(AUTHORITY)]

    first = await openmeet(environment, *publish)
    assert (first.status, first.complained) == (0, "")
    uris = [f"at://{account.did}/com.atproto.lexicon.schema/{name}" for name in names]
    assert [line for line in first.said.splitlines() if line.startswith("written")] == [
        f"written   {uri}" for uri in uris
    ]
    assert f'_lexicon.events.example.org. TXT "did={account.did}"' in first.said

    listed = await network.read(
        "com.atproto.repo.listRecords", repo=account.did, collection="com.atproto.lexicon.schema", limit=100
    )
    found = {record["uri"]: record["value"] for record in json.loads(listed)["records"]}
    assert found.keys() == set(uris)
    assert all(found[uri]["id"] == name for uri, name in zip(uris, names, strict=True))

    newest = await network.newest_number()
    environment["OPENMEET_LEXICON_PASSWORD"] = account.password
    again = await openmeet(environment, "lexicon", "publish", "--account", account.did, "--json")
    assert json.loads(again.said) == {
        "records": [{"uri": uri, "changed": False} for uri in uris],
        "dns": [f'_lexicon.events.example.org. TXT "did={account.did}"'],
    }
    assert await network.newest_number() == newest


async def test_names_without_a_domain_are_reported(network: Network, tmp_path: Path) -> None:
    """For names that belong to no domain the command prints that no DNS entry is possible."""
    account = await network.sign_up("own-names")
    environment = environment_of(network, tmp_path, OPENMEET_LEXICON_PASSWORD=account.password)
    done = await openmeet(environment, "lexicon", "publish", "--account", account.handle)
    assert done.status == 0
    assert "TXT" not in done.said
    assert "OPENMEET_LEXICON_AUTHORITY" in done.said


async def test_failed_sign_in_is_reported_in_a_sentence(network: Network, tmp_path: Path) -> None:
    account = await network.sign_up("not-lexicons")
    environment = environment_of(network, tmp_path, OPENMEET_LEXICON_PASSWORD="not the password")
    for name, why in ((account.handle, "password"), ("nobody-at-all.test", "nobody-at-all.test")):
        refused = await openmeet(environment, "lexicon", "publish", "--account", name)
        assert (refused.status, refused.said) == (1, ""), refused.complained
        assert why in refused.complained
        assert "Traceback" not in refused.complained
        assert "not the password" not in refused.complained
    assert json.loads(await network.read("com.atproto.repo.describeRepo", repo=account.did))["collections"] == []
