"""Where the pictures of a community are kept: a folder of its data directory, or a folder of a bucket, as the settings say."""

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import Bucket, named_in, open_bucket, open_folder
from groundwork.settings import SettingsRefused
from openmeet.settings import PREFIX, Settings


def open_pictures(settings: Settings, tenant: str) -> BlobStore:
    """The store that the settings name. Raises SettingsRefused where it cannot be one."""
    if not settings.blobs:
        return pictures_folder(settings)
    try:
        name, folder = named_in(settings.blobs)
        # One bucket holds those of every community: each in a folder of its own (invariant 5).
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
    """The folder where they are without a bucket, also where there is one now."""
    return open_folder(settings.data_directory / "media")
