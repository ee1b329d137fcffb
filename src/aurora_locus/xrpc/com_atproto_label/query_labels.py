"""Return the current labels of this host on the given subjects."""

import base64
from typing import Any

from aurora_locus.moderation import labels
from aurora_locus.moderation.labels import Label
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import InvalidInput


async def query_labels(call: XrpcCall) -> Outcome:
    """Return the labels on these subjects. ``sources`` filters by labeler; this server stores only its own labels.
    Raises InvalidInput.
    """
    server_labels = call.host.labels
    parameters = call.parameters
    limit, cursor, sources = parameters["limit"], parameters.get("cursor"), parameters.get("sources")
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput("cursor", "This cursor does not belong to this list.")
    matching: list[Label] = []
    if sources is None or server_labels.src in sources:
        async with server_labels.db.reader() as reader:
            matching = await labels.query(reader, parameters["uriPatterns"], after=int(cursor or 0), limit=limit)
    response: dict[str, Any] = {"labels": [_view(label) for label in matching]}
    return response | ({"cursor": str(matching[-1].seq)} if len(matching) == limit else {})


def _view(label: Label) -> dict[str, Any]:
    return {**label.unsigned(), "sig": {"$bytes": base64.b64encode(label.sig).decode().rstrip("=")}}


METHOD = query("com.atproto.label.queryLabels", query_labels)
