"""Which picture store is chosen by the settings."""

from dataclasses import replace
from pathlib import Path

import pytest

from groundwork.blobstore.contract import put
from groundwork.blobstore.open_ import open_bucket
from groundwork.settings import Secret
from openmeet.domain.media.store import open_pictures
from openmeet.settings import Settings
from openmeet.settings_checks import contradictions
from tests.s3_buckets import MakeBucket


async def test_the_default_store_is_a_folder(tmp_path: Path) -> None:
    await put(open_pictures(Settings(data_directory=tmp_path), "default"), "pictures/one.jpg", b"one")
    assert (tmp_path / "media" / "pictures" / "one.jpg").read_bytes() == b"one"


async def test_communities_share_a_bucket_but_no_objects(tmp_path: Path, make_bucket: MakeBucket) -> None:
    """Each community has its own folder in the folder of the installation."""
    bucket = make_bucket()
    settings = Settings(
        data_directory=tmp_path,
        blobs=f"s3://{bucket.name}/meet",
        blobs_region=bucket.region,
        blobs_endpoint=bucket.endpoint,
        blobs_access_key_id=bucket.access_key_id,
        blobs_secret_access_key=bucket.secret_access_key,
        blobs_force_path_style=True,
    )
    town, village = open_pictures(settings, "default"), open_pictures(settings, "village")
    await put(town, "pictures/one.jpg", b"town")
    await put(village, "pictures/one.jpg", b"village")
    assert [piece async for piece in town.read("pictures/one.jpg")] == [b"town"]
    assert [one.key async for one in village.list()] == ["pictures/one.jpg"]
    whole = [one.key async for one in open_bucket(bucket).list()]
    assert sorted(whole) == ["meet/default/pictures/one.jpg", "meet/village/pictures/one.jpg"]
    assert not (tmp_path / "media").exists()


GOOD = Settings(dev_mailbox=True, blobs="s3://pictures/town")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (replace(GOOD, blobs="pictures"), "OPENMEET_BLOBS must be s3://bucket or s3://bucket/folder."),
        (replace(GOOD, blobs_endpoint="s3.example.org"), "OPENMEET_BLOBS_ENDPOINT must be http(s)://host[:port]"),
        (replace(GOOD, blobs_access_key_id="key"), "belong together: set both or none."),
        (replace(GOOD, blobs_secret_access_key=Secret("secret")), "belong together: set both or none."),
    ],
)
def test_contradictory_settings_stop_the_start(settings: Settings, said: str) -> None:
    assert contradictions(GOOD) == []
    (sentence,) = contradictions(settings)
    assert said in sentence
