"""The store of uploaded pictures: a folder, or a prefix of a bucket."""

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import Bucket, named_in, open_bucket, open_folder
from groundwork.settings import SettingsRefused
from openmeet.settings import PREFIX, Settings


def open_pictures(settings: Settings, tenant: str) -> BlobStore:
    """Open the picture store that the settings name. Raises SettingsRefused if it is unusable."""
    if not settings.blobs:
        return pictures_folder(settings)
    try:
        name, folder = named_in(settings.blobs)
        # All tenants share one bucket, and each has its own prefix (invariant 5).
        bucket = Bucket(
            name,
            settings.blobs_region,
            settings.blobs_endpoint,
            settings.blobs_access_key_id,
            settings.blobs_secret_access_key,
            settings.blobs_force_path_style,
            prefix=f"{folder}/{tenant}".strip("/"),
        )
        return open_bucket(bucket)
    except ValueError as error:
        raise SettingsRefused([f"{PREFIX}BLOBS: {error}."]) from None


def pictures_folder(settings: Settings) -> BlobStore:
    """The folder of the file store. Also used to find old files after a switch to a bucket."""
    return open_folder(settings.data_directory / "media")
