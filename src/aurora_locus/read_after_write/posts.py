"""View of one of the caller's posts before anybody has replied to it or liked it, with its embeds: images, a link card,
another record.

Other people's records are requested from the app view, because only it knows whether the caller may see them. What only
the app view can produce (a video stream) is omitted until it has indexed the post.
"""

from collections.abc import Mapping
from typing import Any, Final

from at_protocol.syntax.nsid import Nsid
from aurora_locus.read_after_write.author import FULL_SIZE, THUMBNAIL, ViewingAccount, without_absent
from aurora_locus.read_after_write.recent import RecentRecord

_IMAGES: Final = "app.bsky.embed.images"
_EXTERNAL: Final = "app.bsky.embed.external"
_RECORD: Final = "app.bsky.embed.record"
_RECORD_WITH_MEDIA: Final = "app.bsky.embed.recordWithMedia"

_GET_POSTS: Final = Nsid("app.bsky.feed.getPosts")
# For each collection: the method that shows one record, its parameter, the field in its output, and the view type.
_SHOWN_BY: Final = {
    "app.bsky.feed.generator": (
        Nsid("app.bsky.feed.getFeedGenerator"), "feed", "view", "app.bsky.feed.defs#generatorView",
    ),
    "app.bsky.graph.list": (Nsid("app.bsky.graph.getList"), "list", "list", "app.bsky.graph.defs#listView"),
}  # fmt: skip


async def post_view(author: ViewingAccount, post: RecentRecord) -> dict[str, Any]:
    """Return the view of the caller's new post, as ``app.bsky.feed.defs#postView``."""
    return {
        "uri": post.uri,
        "cid": post.cid,
        "author": author.basic,
        "record": post.value,
        **without_absent(embed=await embed_view(author, post.value.get("embed"))),
        "replyCount": 0,
        "repostCount": 0,
        "likeCount": 0,
        "quoteCount": 0,
        "indexedAt": post.indexed_at,
    }


def parent_uri(post: RecentRecord) -> str | None:
    """Return the URI of the post that a post replies to; None if it is not a reply."""
    return _reply(post, "parent")


def root_uri(post: RecentRecord) -> str | None:
    """Return the URI of the first post in the thread of a reply; None if the post is not a reply."""
    return _reply(post, "root")


def _reply(post: RecentRecord, field: str) -> str | None:
    reply = post.value.get("reply")
    reference = reply.get(field) if isinstance(reply, dict) else None
    uri = reference.get("uri") if isinstance(reference, dict) else None
    return uri if isinstance(uri, str) else None


async def embed_view(author: ViewingAccount, embed: object) -> dict[str, Any] | None:
    """Return the view of the caller's embed; None if it cannot be shown yet."""
    if not isinstance(embed, dict):
        return None
    match embed.get("$type"):
        case "app.bsky.embed.record":
            return {"$type": f"{_RECORD}#view", "record": await _record_view(author, embed["record"])}
        case "app.bsky.embed.recordWithMedia":
            media = _media_view(author, embed["media"])
            if media is None:
                return None
            record = await embed_view(author, {"$type": _RECORD, "record": embed["record"]["record"]})
            return {"$type": f"{_RECORD_WITH_MEDIA}#view", "record": record, "media": media}
        case _:
            return _media_view(author, embed)


def _media_view(author: ViewingAccount, embed: Mapping[str, Any]) -> dict[str, Any] | None:
    match embed.get("$type"):
        case "app.bsky.embed.images":
            return {"$type": f"{_IMAGES}#view", "images": [_image_view(author, image) for image in embed["images"]]}
        case "app.bsky.embed.external":
            card = embed["external"]
            thumb = author.pictures.url(THUMBNAIL, author.did, card.get("thumb"))
            view = {key: card[key] for key in ("uri", "title", "description")}
            return {"$type": f"{_EXTERNAL}#view", "external": {**view, **without_absent(thumb=thumb)}}
        case _:
            return None


def _image_view(author: ViewingAccount, image: Mapping[str, Any]) -> dict[str, Any]:
    return without_absent(
        thumb=author.pictures.url(THUMBNAIL, author.did, image["image"]),
        fullsize=author.pictures.url(FULL_SIZE, author.did, image["image"]),
        alt=image["alt"],
        aspectRatio=image.get("aspectRatio"),
    )


async def _record_view(author: ViewingAccount, reference: Mapping[str, Any]) -> dict[str, Any]:
    uri = str(reference["uri"])
    collection = uri.removeprefix("at://").split("/")[1] if uri.count("/") > 3 else ""
    view: dict[str, Any] | None = None
    if collection == "app.bsky.feed.post":
        response = await author.ask(_GET_POSTS, {"uris": uri})
        posts = [] if response is None else response.get("posts", [])
        view = _quoted(posts[0]) if posts else None
    elif collection in _SHOWN_BY:
        nsid, parameter, list_name, kind = _SHOWN_BY[collection]
        response = await author.ask(nsid, {parameter: uri})
        shown = None if response is None else response.get(list_name)
        view = {**shown, "$type": kind} if isinstance(shown, dict) else None
    return view or {"$type": f"{_RECORD}#viewNotFound", "uri": uri, "notFound": True}


def _quoted(post: Mapping[str, Any]) -> dict[str, Any]:
    fields = ("uri", "cid", "author", "labels", "replyCount", "repostCount", "likeCount", "quoteCount", "indexedAt")
    return {
        "$type": f"{_RECORD}#viewRecord",
        **{key: post[key] for key in fields if key in post},
        "value": post["record"],
        **({"embeds": [post["embed"]]} if "embed" in post else {}),
    }
