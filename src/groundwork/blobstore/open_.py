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
    """A bucket and its access. Without keys those of the machine are used (``AWS_…``, an instance's role).

    ``endpoint`` is the service's address without the bucket; empty: Amazon's of that region. ``prefix`` is a folder in
    the bucket.
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
    """Bucket and folder of ``s3://bucket/folder``; the folder may be empty. Raises ValueError for anything else."""
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
    """A folder with nothing but blobs under their keys, and unfinished uploads in ``.incoming``; made when first
    needed.
    """
    return DiskBlobStore(folder, blobs=folder, incoming=folder / ".incoming", may_be_away=True)


def open_bucket(bucket: Bucket) -> BlobStore:
    """A bucket; first contacted when it is used. ValueError: its library is not installed."""
    try:
        # Its library is an optional extra.
        s3 = importlib.import_module("groundwork.blobstore.s3")
    except ModuleNotFoundError as missing:
        raise ValueError("S3 needs the extra: pip install 'openmeet[s3]'") from missing
    store: BlobStore = s3.S3BlobStore(bucket)
    return store
