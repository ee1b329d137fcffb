"""The configured blob store: a folder, or a bucket of an S3-compatible service."""

from pathlib import Path

from aurora_locus.settings import PdsSettings
from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.blobstore.open_ import Bucket, open_bucket, open_folder
from groundwork.settings import SettingsRefused


def open_store(settings: PdsSettings) -> BlobStore:
    """Open the blob store. Raises SettingsRefused for an invalid setting."""
    try:
        if settings.blobstore_s3_bucket:
            return open_bucket(_bucket(settings))
        if not settings.blobstore_disk_location:
            return DiskBlobStore(settings.data_directory / "blobs")
        folder = Path(settings.blobstore_disk_location)
        if not settings.blobstore_disk_tmp_location:
            return open_folder(folder)
        return DiskBlobStore(folder, blobs=folder, incoming=Path(settings.blobstore_disk_tmp_location))
    except ValueError as error:
        raise SettingsRefused([f"PDS_BLOBSTORE_…: {error}."]) from None
    except OSError as error:
        raise SettingsRefused([f"The folder of blobs cannot be used: {error.strerror}."]) from None


def _bucket(settings: PdsSettings) -> Bucket:
    return Bucket(
        settings.blobstore_s3_bucket,
        settings.blobstore_s3_region,
        settings.blobstore_s3_endpoint,
        settings.blobstore_s3_access_key_id,
        settings.blobstore_s3_secret_access_key,
        settings.blobstore_s3_force_path_style,
        settings.blobstore_s3_upload_timeout_ms / 1000,
    )
