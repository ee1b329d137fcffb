"""The PDS's settings: the defaults fit a laptop, and contradictions and dangers are refused with the setting's name."""

import itertools

import pytest

from aurora_locus.settings import PdsSettings
from aurora_locus.settings_checks import read_checked
from groundwork.settings import SettingsRefused

SAFE = {
    "PDS_HOSTNAME": "pds.example.com",
    "PDS_ADMIN_PASSWORD": "long and secret",
    "PDS_DID_PLC_URL": "https://plc.example.org",
}
LAPTOP = {"PDS_DEV_MODE": "true"}


def refused(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsRefused) as refusal:
        read_checked(environment)
    return "\n".join(refusal.value.sentences)


def test_development_mode_is_the_only_required_setting_on_a_laptop():
    settings = read_checked(LAPTOP)
    assert settings.url == "http://localhost:3000"
    assert settings.did == "did:web:localhost%3A3000"
    assert settings.serves_firehose
    assert settings.can_be_enumerated


def test_public_server():
    settings = read_checked(SAFE)
    assert settings.url == "https://pds.example.com"
    assert settings.did == "did:web:pds.example.com"
    assert not settings.serves_firehose
    assert not settings.can_be_enumerated


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"PDS_DEV_MODE": "true"}, "PDS_DEV_MODE"),
        ({"PDS_ADMIN_PASSWORD": ""}, "PDS_ADMIN_PASSWORD"),
        ({"PDS_DISABLE_SSRF_PROTECTION": "true"}, "PDS_DISABLE_SSRF_PROTECTION"),
        ({"PDS_DID_PLC_URL": ""}, "PDS_DID_PLC_URL"),
        ({"PDS_PUBLIC_URL": "http://pds.example.com"}, "PDS_PUBLIC_URL"),
        ({"PDS_PUBLIC_URL": "https://other.example.com"}, "PDS_PUBLIC_URL"),
        ({"PDS_SERVICE_HANDLE_DOMAINS": "example.com"}, "PDS_SERVICE_HANDLE_DOMAINS"),
        ({"PDS_BLOB_UPLOAD_LIMIT": "lots"}, "PDS_BLOB_UPLOAD_LIMIT"),
        ({"PDS_FIREHOSE_RETENTION": "3"}, "PDS_FIREHOSE_RETENTION"),
        ({"PDS_PORT": "http"}, "PDS_PORT"),
        ({"PDS_CLIENT_CONNECTIONS": "15"}, "PDS_CLIENT_CONNECTIONS must be at least 16."),
        ({"PDS_CLIENT_CONNECTIONS_PER_ADDRESS": "-1"}, "PDS_CLIENT_CONNECTIONS_PER_ADDRESS must be at least 0."),
        ({"PDS_DATABASE_CONNECTIONS": "0"}, "PDS_DATABASE_CONNECTIONS must be at least 1."),
        ({"PDS_RECOVERY_DID_KEY": "did:key:zQ3shnone"}, "PDS_RECOVERY_DID_KEY"),
        (
            {"PDS_BLOBSTORE_S3_BUCKET": "b", "PDS_BLOBSTORE_DISK_LOCATION": "/b"},
            "PDS_BLOBSTORE_S3_BUCKET and PDS_BLOBSTORE_DISK_LOCATION",
        ),
        (
            {"PDS_FEDERATION_RELAY_URLS": "https://a.example,https://b.example:port"},
            "PDS_FEDERATION_RELAY_URLS has a URL",
        ),
        ({"PDS_FEDERATION_RELAY_URLS": "relay.example"}, "PDS_FEDERATION_RELAY_URLS has 'relay.example'"),
        ({"PDS_BACKUP_URL": "/b"}, "PDS_BACKUP_PASSPHRASE"),
        ({"PDS_BACKUP_URL": "/b", "PDS_BACKUP_PASSPHRASE": "short"}, "at least 12 characters"),
        ({"PDS_BACKUP_INTERVAL": "5s"}, "PDS_BACKUP_INTERVAL"),
        ({"PDS_BACKUP_S3_ACCESS_KEY_ID": "k"}, "PDS_BACKUP_S3_SECRET_ACCESS_KEY"),
        ({"PDS_BLOBSTORE_DISK_TMP_LOCATION": "/b"}, "PDS_BLOBSTORE_DISK_LOCATION"),
        ({"PDS_BLOBSTORE_S3_REGION": "eu"}, "PDS_BLOBSTORE_S3_BUCKET"),
        ({"PDS_BLOBSTORE_S3_BUCKET": "b", "PDS_BLOBSTORE_S3_ACCESS_KEY_ID": "k"}, "PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY"),
        ({"PDS_BLOBSTORE_S3_BUCKET": "b", "PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS": "0"}, "UPLOAD_TIMEOUT_MS"),
    ],
)
def test_dangerous_and_invalid_settings_are_named(changes: dict[str, str], named: str):
    assert named in refused({**SAFE, **changes})


SWITCHES = ("FIREHOSE_ENABLED", "CRAWL_ENABLED", "AUTO_STREAM")


@pytest.mark.parametrize("master", [False, True])
@pytest.mark.parametrize("on", [set(chosen) for size in range(4) for chosen in itertools.combinations(SWITCHES, size)])
def test_every_combination_of_federation(master: bool, on: set[str]):
    """Every combination of federation settings: a switch without the master switch is refused by name; with the master
    switch, each switch has only its own effect.
    """
    environment = {**SAFE, "PDS_FEDERATION_ENABLED": str(master).lower()}
    environment |= {f"PDS_FEDERATION_{name}": str(name in on).lower() for name in SWITCHES}
    if on and not master:
        said = refused(environment)
        assert all(f"PDS_FEDERATION_{name}" in said for name in on)
        return
    settings = read_checked(environment)
    assert settings.serves_firehose is ("FIREHOSE_ENABLED" in on)
    assert settings.can_be_enumerated is ("CRAWL_ENABLED" in on)
    assert settings.federation_auto_stream is ("AUTO_STREAM" in on)


def test_environment_of_the_reference_pds_has_the_same_meaning():
    settings = read_checked({**SAFE, "PDS_CRAWLERS": "https://relay.example.org,https://other.example.org"})
    assert settings.federation_relay_urls == ("https://relay.example.org", "https://other.example.org")
    assert settings.serves_firehose
    assert settings.federation_auto_stream


# What the installer of the reference PDS writes, and what it wrote before the crawlers setting existed.
INSTALLED = {
    "PDS_HOSTNAME": "pds.example.com",
    "PDS_JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "PDS_ADMIN_PASSWORD": "0123456789abcdef0123456789abcdef",
    "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": "01" * 32,
    "PDS_DATA_DIRECTORY": "/pds",
    "PDS_BLOBSTORE_DISK_LOCATION": "/pds/blocks",
    "PDS_BLOB_UPLOAD_LIMIT": "104857600",
    "PDS_DID_PLC_URL": "https://plc.directory",
    "PDS_BSKY_APP_VIEW_URL": "https://api.bsky.app",
    "PDS_BSKY_APP_VIEW_DID": "did:web:api.bsky.app",
    "PDS_REPORT_SERVICE_URL": "https://mod.bsky.app",
    "PDS_REPORT_SERVICE_DID": "did:plc:ar7c4by46qjdydhdevvrndac",
    "PDS_CRAWLERS": "https://bsky.network",
    "LOG_ENABLED": "true",
}


@pytest.mark.parametrize(
    "without", [(), ("PDS_CRAWLERS",), ("PDS_CRAWLERS", "PDS_DID_PLC_URL", "PDS_BLOB_UPLOAD_LIMIT")]
)
def test_installed_environment_of_the_reference_pds_works_unchanged(without: tuple[str, ...]):
    settings = read_checked({name: value for name, value in INSTALLED.items() if name not in without})
    assert settings.service_handle_domains == (".pds.example.com",)
    assert settings.did_plc_url == "https://plc.directory"
    assert settings.serves_firehose
    assert settings.can_be_enumerated
    assert settings.announces_itself is ("PDS_CRAWLERS" not in without)
    assert settings.counts_requests
    assert settings.trusted_private_proxies
    assert "from proxies in private networks" in settings.client_address_rule


@pytest.mark.parametrize(
    ("given", "proxies"),
    [
        ({}, set()),
        ({"PDS_TRUSTED_PRIVATE_PROXIES": "true"}, {"127.0.0.1", "172.17.0.1", "fd00::1"}),
        ({"PDS_TRUSTED_PROXY_HOPS": "1"}, {"127.0.0.1", "172.17.0.1", "fd00::1", "8.8.8.8", "2001:4860::1"}),
    ],
)
def test_only_configured_proxies_are_trusted(given: dict[str, str], proxies: set[str]):
    """Trusted proxies are those configured. Clients that bypass a proxy in a private network are counted by their own
    address.
    """
    settings = read_checked({**SAFE, **given})
    addresses = ("127.0.0.1", "172.17.0.1", "fd00::1", "8.8.8.8", "2001:4860::1", "")
    assert {address for address in addresses if address and settings.is_proxy(address)} == proxies


def test_own_settings_override_defaults_of_the_reference():
    """A single setting of Aurora Locus turns off the defaults derived from the reference's settings."""
    settings = read_checked(
        {**INSTALLED, "PDS_FEDERATION_ENABLED": "false", "PDS_SERVICE_HANDLE_DOMAINS": ".people.example"}
    )
    assert not settings.serves_firehose
    assert settings.service_handle_domains == (".people.example",)
    settings = read_checked({**INSTALLED, "PDS_SERVICE_HANDLE_DOMAINS": ".people.example"})
    assert settings.service_handle_domains == (".people.example",)
    for name, value in (("PDS_TRUSTED_PROXY_HOPS", "1"), ("PDS_TRUSTED_PRIVATE_PROXIES", "false")):
        assert not read_checked({**INSTALLED, name: value}).trusted_private_proxies


def test_two_values_for_one_thing_are_refused():
    environment = {**SAFE, "PDS_CRAWLERS": "https://a.example", "PDS_FEDERATION_RELAY_URLS": "https://b.example"}
    assert "PDS_CRAWLERS" in refused(environment)


def test_secrets_have_a_redacted_repr():
    assert "long and secret" not in repr(read_checked(SAFE))
    assert isinstance(read_checked(SAFE), PdsSettings)
