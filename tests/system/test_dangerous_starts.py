"""Dangerous starts are refused: every combination is checked as a table, and some of them by starting the program."""

import itertools
from collections.abc import Iterable, Mapping

import pytest

from aurora_locus.settings_checks import read_checked
from groundwork.settings import SettingsRefused
from tests.fork_server import FORK_SERVER
from tests.programs.platforms import read_platform_settings

SAFE_PDS = {
    "PDS_HOSTNAME": "pds.town.net",
    "PDS_PUBLIC_URL": "https://pds.town.net",
    "PDS_DID_PLC_URL": "https://plc.directory",
    "PDS_ADMIN_PASSWORD": "known to its operator alone",
    "PDS_SERVICE_HANDLE_DOMAINS": ".town.net",
}
# Dangerous values, by the setting that the error must name.
DANGEROUS_PDS = {
    "PDS_DEV_MODE": {"PDS_DEV_MODE": "true"},
    "PDS_ADMIN_PASSWORD": {"PDS_ADMIN_PASSWORD": ""},
    "PDS_PUBLIC_URL": {"PDS_PUBLIC_URL": "http://pds.town.net"},
    "PDS_DID_PLC_URL": {"PDS_DID_PLC_URL": ""},
}
SAFE_PLATFORM = {
    "OPENMEET_PUBLIC_URL": "https://meet.town.net",
    "OPENMEET_PLC_URL": "https://plc.directory",
    "OPENMEET_PDS_URL": "https://pds.town.net",
    "OPENMEET_MAIL_URL": "smtp://mail.town.net",
}
DANGEROUS_PLATFORM = {
    "OPENMEET_DEV_MODE": {"OPENMEET_DEV_MODE": "true"},
    "OPENMEET_DEV_MAILBOX": {"OPENMEET_DEV_MAILBOX": "true", "OPENMEET_MAIL_URL": ""},
    "OPENMEET_ALLOW_PRIVATE_ADDRESSES": {"OPENMEET_ALLOW_PRIVATE_ADDRESSES": "true"},
    "OPENMEET_PUBLIC_URL": {"OPENMEET_PUBLIC_URL": "http://meet.town.net"},
    "OPENMEET_PLC_URL": {"OPENMEET_PLC_URL": "http://localhost:2582"},
}
LAPTOPS = ("localhost", "127.0.0.1", "pds.test", "machine")


def combinations(dangers: Mapping[str, Mapping[str, str]]) -> list[tuple[str, ...]]:
    """Every non-empty set of dangers."""
    return [chosen for size in range(1, len(dangers) + 1) for chosen in itertools.combinations(dangers, size)]


def environment_of(
    safe: Mapping[str, str], dangers: Mapping[str, Mapping[str, str]], chosen: Iterable[str]
) -> dict[str, str]:
    environment = dict(safe)
    for name in chosen:
        environment |= dangers[name]
    return environment


def test_safe_environments_are_accepted():
    """Without this, the table would prove nothing."""
    assert read_checked(SAFE_PDS).hostname == "pds.town.net"
    assert read_platform_settings(environment=SAFE_PLATFORM).public_host == "meet.town.net"


@pytest.mark.parametrize("chosen", combinations(DANGEROUS_PDS), ids="+".join)
def test_dangerous_pds_settings_are_refused_in_public(chosen: tuple[str, ...]):
    with pytest.raises(SettingsRefused) as refused:
        read_checked(environment_of(SAFE_PDS, DANGEROUS_PDS, chosen))
    assert_named(refused.value.sentences, chosen)


@pytest.mark.parametrize("chosen", combinations(DANGEROUS_PLATFORM), ids="+".join)
def test_dangerous_platform_settings_are_refused_in_public(chosen: tuple[str, ...]):
    with pytest.raises(SettingsRefused) as refused:
        read_platform_settings(environment=environment_of(SAFE_PLATFORM, DANGEROUS_PLATFORM, chosen))
    assert_named(refused.value.sentences, chosen)


def assert_named(sentences: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    """Check that there is a sentence for each setting, and for no other."""
    assert {sentence.split()[0] for sentence in sentences} == set(chosen)
    assert all(sentence.endswith(".") and len(sentence.split()) > 5 for sentence in sentences)


@pytest.mark.parametrize("host", LAPTOPS)
def test_all_dangerous_settings_are_allowed_on_a_laptop(host: str):
    every_pds = environment_of(SAFE_PDS, DANGEROUS_PDS, DANGEROUS_PDS)
    here = {"PDS_HOSTNAME": host, "PDS_PUBLIC_URL": f"http://{host}"}
    assert read_checked(every_pds | here).dev_mode
    every_platform = environment_of(SAFE_PLATFORM, DANGEROUS_PLATFORM, DANGEROUS_PLATFORM)
    assert read_platform_settings(environment=every_platform | {"OPENMEET_PUBLIC_URL": f"http://{host}"}).dev_mode


@pytest.mark.parametrize("host", LAPTOPS)
def test_plain_http_needs_dev_mode_everywhere(host: str):
    """A PDS that is not a development server needs https with any host name."""
    with pytest.raises(SettingsRefused, match="PDS_PUBLIC_URL must be https"):
        read_checked(SAFE_PDS | {"PDS_HOSTNAME": host, "PDS_PUBLIC_URL": f"http://{host}"})


@pytest.mark.parametrize(
    ("role", "environment", "names"),
    [
        ("pds", SAFE_PDS | {"PDS_DEV_MODE": "true"}, ["PDS_DEV_MODE"]),
        ("pds", {"PDS_HOSTNAME": "pds.town.net"}, ["PDS_ADMIN_PASSWORD", "PDS_DID_PLC_URL"]),
        ("web", SAFE_PLATFORM | DANGEROUS_PLATFORM["OPENMEET_DEV_MAILBOX"], ["OPENMEET_DEV_MAILBOX"]),
        ("publisher", SAFE_PLATFORM | {"OPENMEET_ALLOW_PRIVATE_ADDRESSES": "1"}, ["OPENMEET_ALLOW_PRIVATE_ADDRESSES"]),
    ],
    ids=["pds in dev mode", "pds with defaults", "web with mailbox", "publisher without SSRF protection"],
)
def test_programs_refuse_to_start(tmp_path, role: str, environment: dict[str, str], names: list[str]):
    """The exit status is 1, the errors are printed without a traceback, and no file is created."""
    ended = FORK_SERVER.run(role, environment=environment, folder=tmp_path)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert all(name in ended.stderr for name in names), ended.stderr
    assert list(tmp_path.iterdir()) == []
