"""Open a blob store: a folder, or a bucket of an S3-compatible service."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from groundwork.blobstore.contract import BlobStore, check_key
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.settings import Secret


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and its credentials. Without keys, those of the machine are used (``AWS_…``, or the role of an
    instance).

    ``endpoint`` is the URL of the service without the bucket. If it is empty, Amazon's endpoint for the region is used.
    ``prefix`` is a folder in the bucket.
    """

    name: str
    region: str = ""
    endpoint: str = ""
    access_key_id: str = ""
    secret_access_key: Secret = field(default_factory=lambda: Secret(""))
    force_path_style: bool = False
    upload_timeout_seconds: float = 20.0
    prefix: str = ""


def named_in(url: str) -> tuple[str, str]:
    """Return the bucket and the folder in ``s3://bucket/folder``. The folder can be empty. Raises ValueError for
    anything else.
    """
    parts = urlsplit(url)
    folder = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be s3://bucket or s3://bucket/folder")
    if folder:
        try:
            check_key(folder)
        except ValueError:
            raise ValueError("must name a folder of letters, digits, dots, hyphens and underscores") from None
    return parts.netloc, folder


def open_folder(folder: Path) -> BlobStore:
    """Open a folder that contains only blobs under their keys, and unfinished uploads in ``.incoming``. It is created
    when first needed.
    """
    return DiskBlobStore(folder, blobs=folder, incoming=folder / ".incoming", may_be_unmounted=True)


def open_bucket(bucket: Bucket) -> BlobStore:
    """Open a bucket. It is not contacted until it is used. Raises ValueError if the client library is not installed."""
    try:
        # The client library is an optional extra.
        s3 = importlib.import_module("groundwork.blobstore.s3")
    except ModuleNotFoundError as missing:
        raise ValueError("S3 needs an optional package: run make services") from missing
    store: BlobStore = s3.S3BlobStore(bucket)
    return store
