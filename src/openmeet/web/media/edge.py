"""The store of pictures, as the outermost edge has it."""

from starlette.requests import HTTPConnection

from groundwork.blobstore.contract import BlobStore
from groundwork.errors import Unavailable


def store_of(connection: HTTPConnection) -> BlobStore:
    """Where this site keeps pictures; Unavailable where it keeps none."""
    found: BlobStore | None = connection.app.state.pictures
    if found is None:
        raise Unavailable("This site keeps no pictures at the moment.")
    return found
