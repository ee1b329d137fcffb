"""A posted form with at most one file in it."""

from starlette.datastructures import UploadFile
from starlette.requests import Request

from groundwork.errors import InvalidInput

MAX_FIELDS = 50


async def read_upload(request: Request) -> tuple[dict[str, str], bytes, str]:
    """The fields, the file's bytes and its name; both empty where none was chosen. Its size is bounded with the body."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidInput("", "A form with a file was expected.")
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        content = await files[0].read() if files else b""
        name = (files[0].filename or "") if files else ""
    if any("\x00" in value for value in fields.values()):
        raise InvalidInput("", "The form contains a character that cannot be kept.")
    return fields, content, name.rpartition("/")[2][:200]
