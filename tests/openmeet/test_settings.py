"""Settings with which an installation refuses to start."""

from dataclasses import replace

import pytest

from groundwork.settings import Secret
from groundwork.startup_checks import UnsafeOption, dangers_of
from openmeet.settings import Settings
from openmeet.settings_checks import contradictions, dangers

LAPTOP = replace(Settings(), dev_mailbox=True)
PUBLIC = replace(
    Settings(),
    public_url="https://town.net",
    pds_url="https://pds.town.net",
    plc_url="https://plc.example.org",
    mail_url=Secret("smtp://mail.town.net"),
)


def test_settings_of_a_laptop_and_of_a_server_are_accepted():
    assert contradictions(LAPTOP) == contradictions(PUBLIC) == []
    assert dangers_of([PUBLIC.public_host], dangers(PUBLIC)) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"public_url": "town.net"}, "PUBLIC_URL"),
        ({"public_url": "https://town.net/events"}, "PUBLIC_URL"),
        ({"pds_url": "ftp://x"}, "PDS_URL"),
        ({"time_zone": "Berlin"}, "TIME_ZONE"),
        ({"dev_mailbox": True}, "DEV_MAILBOX"),
        ({"mail_url": Secret("")}, "MAIL_URL"),
        ({"port": 70000}, "PORT"),
        ({"network_near": "Vienna"}, "NETWORK_NEAR"),
        ({"network_near": "48.2, 16.4"}, "NETWORK_NEAR"),
        ({"network_near": "95, 16.4, 20"}, "NETWORK_NEAR"),
        ({"network_near": "48.2, nan, 20"}, "NETWORK_NEAR"),
        ({"network_near": "48.2, 16.4, 0"}, "NETWORK_NEAR"),
        ({"network_near": "48.2, 16.4, 20", "network_shown": "everything"}, "NETWORK_NEAR"),
        ({"trusted_proxy_hops": -1}, "TRUSTED_PROXY_HOPS"),
        ({"client_connections": 15}, "CLIENT_CONNECTIONS"),
        ({"client_connections_per_address": -1}, "CLIENT_CONNECTIONS_PER_ADDRESS"),
        ({"database_connections": 0}, "DATABASE_CONNECTIONS"),
        ({"firehose_urls": ("pds.town.net",)}, "FIREHOSE_URLS"),
        ({"firehose_urls": ("wss://10.0.0.1:3000=pds.town.net",)}, "FIREHOSE_URLS"),
        ({"firehose_urls": ("wss://10.0.0.1:port=https://pds.town.net",)}, "FIREHOSE_URLS"),
        ({"relay_urls": ("wss://relay.example/xrpc/com.atproto.sync.subscribeRepos",)}, "RELAY_URLS"),
        ({"relay_urls": ("wss://relay.example=https://relay.example",)}, "RELAY_URLS"),
        ({"labelers": ("https://labels.example",)}, "LABELERS"),
        ({"labelers": ("did:plc:ar7c4by46qjdydhdevvrndac", "did:example:x")}, "LABELERS"),
        ({"firehose_urls": ("wss://a.example",), "relay_urls": ("wss://a.example",)}, "FIREHOSE_URLS"),
    ],
)
def test_invalid_settings_are_named(change, name):
    (sentence,) = contradictions(replace(PUBLIC, **change))
    assert f"OPENMEET_{name}" in sentence


@pytest.mark.parametrize(
    ("change", "danger"),
    [
        ({"dev_mode": True}, UnsafeOption.DEV_MODE),
        ({"dev_mailbox": True}, UnsafeOption.DEVELOPMENT_MAILBOX),
        ({"allow_private_addresses": True}, UnsafeOption.NO_SSRF_PROTECTION),
        ({"public_url": "http://town.net"}, UnsafeOption.PLAIN_HTTP),
        ({"plc_url": "http://localhost:2582"}, UnsafeOption.BUILT_IN_DIRECTORY),
    ],
)
def test_every_dangerous_setting_is_refused_in_production_only(change, danger):
    settings = replace(PUBLIC, **change)
    assert list(dangers(settings)) == [danger]
    assert len(dangers_of([settings.public_host], dangers(settings))) == 1
    assert dangers_of(["127.0.0.1"], dangers(settings)) == []


def test_secrets_are_not_printed():
    assert "hunter2" not in repr(replace(Settings(), mail_url=Secret("smtp://u:hunter2@h")))
