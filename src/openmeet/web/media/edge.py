"""The store of pictures, as the outermost edge has it."""

from starlette.requests import HTTPConnection

from groundwork.blobstore.contract import BlobStore
from groundwork.errors import Unavailable
from openmeet.web.site.services import services


def store_of(connection: HTTPConnection) -> BlobStore:
    """Where this site keeps pictures; Unavailable where it keeps none."""
    found = services(connection).pictures
    if found is None:
        raise Unavailable("This site keeps no pictures at the moment.")
    return found
