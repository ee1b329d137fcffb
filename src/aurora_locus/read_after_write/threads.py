"""Threads: the caller's replies, and a thread that the app view has not indexed yet."""

from collections.abc import Mapping
from typing import Any, Final

from at_protocol.syntax.nsid import Nsid
from aurora_locus.read_after_write.author import ViewingAccount
from aurora_locus.read_after_write.posts import parent_uri, post_view
from aurora_locus.read_after_write.recent import RecentRecord, RecentWrites

NSID: Final = Nsid("app.bsky.feed.getPostThread")
_THREAD: Final = "app.bsky.feed.defs#threadViewPost"


async def thread(
    author: ViewingAccount, parameters: Mapping[str, str], response: dict[str, Any], recent: RecentWrites
) -> dict[str, Any]:
    """Complete ``app.bsky.feed.getPostThread`` with the caller's replies, to the requested depth."""
    view = response["thread"]
    if view.get("$type") != _THREAD:
        return response
    depth = int(parameters.get("depth", "6"))
    # Oldest first, so that a reply to one's own reply finds that reply in the thread.
    for post in reversed(recent.posts):
        parent = parent_uri(post)
        if parent is not None:
            view = await _with_answer(author, view, parent, post, depth)
    return {**response, "thread": view}


async def missing_thread(
    author: ViewingAccount, parameters: Mapping[str, str], recent: RecentWrites
) -> dict[str, Any] | None:
    """Return the thread of a post of the caller that the app view does not have yet; None if it is not a recent post of
    theirs.
    """
    uri = parameters.get("uri", "").replace(f"at://{author.handle}/", f"at://{author.did}/", 1)
    post = next((one for one in recent.posts if one.uri == uri), None)
    if post is None:
        return None
    view: dict[str, Any] = {"$type": _THREAD, "post": await post_view(author, post), "replies": []}
    parent = parent_uri(post)
    if parent is not None:
        height = parameters.get("parentHeight", "80")
        above = await author.ask(NSID, {"uri": parent, "depth": "0", "parentHeight": height})
        if above is not None and isinstance(above.get("thread"), dict):
            view["parent"] = above["thread"]
        elif (own_parent := next((one for one in recent.posts if one.uri == parent), None)) is not None:
            view["parent"] = {"$type": _THREAD, "post": await post_view(author, own_parent)}
    return await thread(author, parameters, {"thread": view}, recent)


async def _with_answer(
    author: ViewingAccount, view: dict[str, Any], parent: str, post: RecentRecord, depth: int
) -> dict[str, Any]:
    if depth <= 0 or view.get("$type") != _THREAD:
        return view
    replies = view.get("replies", [])
    if view["post"]["uri"] != parent:
        below = [await _with_answer(author, reply, parent, post, depth - 1) for reply in replies]
        return {**view, "replies": below} if below else view
    if any(reply.get("post", {}).get("uri") == post.uri for reply in replies):
        return view
    own_reply = {"$type": _THREAD, "post": await post_view(author, post)}
    counted = {**view["post"], "replyCount": view["post"].get("replyCount", 0) + 1}
    return {**view, "post": counted, "replies": [own_reply, *replies]}
