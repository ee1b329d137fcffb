"""The PDS's settings: defaults serve the laptop, contradictions and dangers are refused with the setting's name."""

import itertools

import pytest

from aurora_locus.settings import Settings, read
from groundwork.settings import SettingsRefused

SAFE = {
    "PDS_HOSTNAME": "pds.example.com",
    "PDS_ADMIN_PASSWORD": "long and secret",
    "PDS_DID_PLC_URL": "https://plc.example.org",
}
LAPTOP = {"PDS_DEV_MODE": "true"}


def refused(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsRefused) as refusal:
        read(environment)
    return "\n".join(refusal.value.sentences)


def test_laptop_needs_one_word():
    settings = read(LAPTOP)
    assert settings.url == "http://localhost:3000"
    assert settings.did == "did:web:localhost%3A3000"
    assert settings.serves_firehose
    assert settings.can_be_enumerated


def test_public_server():
    settings = read(SAFE)
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
        ({"PDS_RECOVERY_DID_KEY": "did:key:zQ3shnone"}, "PDS_RECOVERY_DID_KEY"),
        (
            {"PDS_BLOBSTORE_S3_BUCKET": "b", "PDS_BLOBSTORE_DISK_LOCATION": "/b"},
            "PDS_BLOBSTORE_S3_BUCKET and PDS_BLOBSTORE_DISK_LOCATION",
        ),
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
def test_dangers_and_mistakes_are_named(changes: dict[str, str], named: str):
    assert named in refused({**SAFE, **changes})


SWITCHES = ("FIREHOSE_ENABLED", "CRAWL_ENABLED", "AUTO_STREAM")


@pytest.mark.parametrize("master", [False, True])
@pytest.mark.parametrize("on", [set(chosen) for size in range(4) for chosen in itertools.combinations(SWITCHES, size)])
def test_every_combination_of_federation(master: bool, on: set[str]):
    """What is on without the master switch is refused by name; with it, each switch does its one thing."""
    environment = {**SAFE, "PDS_FEDERATION_ENABLED": str(master).lower()}
    environment |= {f"PDS_FEDERATION_{name}": str(name in on).lower() for name in SWITCHES}
    if on and not master:
        said = refused(environment)
        assert all(f"PDS_FEDERATION_{name}" in said for name in on)
        return
    settings = read(environment)
    assert settings.serves_firehose is ("FIREHOSE_ENABLED" in on)
    assert settings.can_be_enumerated is ("CRAWL_ENABLED" in on)
    assert settings.federation_auto_stream is ("AUTO_STREAM" in on)


def test_environment_of_the_reference_pds_means_what_it_meant_there():
    settings = read({**SAFE, "PDS_CRAWLERS": "https://relay.example.org,https://other.example.org"})
    assert settings.federation_relay_urls == ("https://relay.example.org", "https://other.example.org")
    assert settings.serves_firehose
    assert settings.federation_auto_stream


def test_two_values_for_one_thing_are_refused():
    environment = {**SAFE, "PDS_CRAWLERS": "https://a.example", "PDS_FEDERATION_RELAY_URLS": "https://b.example"}
    assert "PDS_CRAWLERS" in refused(environment)


def test_secrets_do_not_print():
    assert "long and secret" not in repr(read(SAFE))
    assert isinstance(read(SAFE), Settings)
