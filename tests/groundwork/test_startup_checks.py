"""Every dangerous setting is combined with every kind of host name."""

import itertools

import pytest

from groundwork.startup_checks import UnsafeOption, dangers_of, is_own_machine, is_public_host

PUBLIC = [
    "openmeet.example.org",
    "pds.town.net",
    "8.8.8.8",
    "PDS.Town.NET.",
    "2606:4700:4700::1111",
    "[2606:4700:4700::1111]",
]
LOCAL = [
    *(
        "localhost",
        "pds.localhost",
        "127.0.0.1",
        "::1",
        "[::1]",
        "192.168.1.5",
        "machine",
        "a.test",
        "b.local",
        "c.internal",
    ),
    *("", "x.example", "10.0.0.1", "home.arpa"),
]


@pytest.mark.parametrize("host", PUBLIC)
def test_public_host_names_are_recognized(host):
    assert is_public_host(host)


@pytest.mark.parametrize("host", LOCAL)
def test_local_host_names_are_recognized(host):
    assert not is_public_host(host)


@pytest.mark.parametrize(("host", "danger"), list(itertools.product(PUBLIC, UnsafeOption)))
def test_each_dangerous_setting_is_refused_by_name(host, danger):
    (sentence,) = dangers_of(["localhost", host], {danger: "PDS_SOME_SETTING"})
    assert sentence.startswith("PDS_SOME_SETTING ")


@pytest.mark.parametrize("host", LOCAL)
def test_dangerous_settings_are_allowed_on_a_laptop(host):
    assert dangers_of([host], dict.fromkeys(UnsafeOption, "X")) == []


def test_all_dangers_are_reported_at_once():
    assert len(dangers_of(["town.net"], dict.fromkeys(UnsafeOption, "X"))) == len(UnsafeOption)


def test_a_public_start_without_dangers_is_fine():
    assert dangers_of(["town.net"], {}) == []


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        *(("localhost", True), ("plc.localhost", True), ("127.0.0.1", True), ("127.8.0.1", True), ("[::1]", True)),
        *(("plc.directory", False), ("10.0.0.1", False), ("plc", False), ("", False), ("mylocalhost", False)),
    ],
)
def test_names_of_this_machine_are_recognized(host, is_own):
    assert is_own_machine(host) is is_own
