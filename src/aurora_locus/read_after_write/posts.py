"""View of one of the caller's posts before anybody has replied to it or liked it."""

from typing import Any

from aurora_locus.read_after_write.author import ViewingAccount, without_absent
from aurora_locus.read_after_write.embeds import embed_view
from aurora_locus.read_after_write.recent import RecentRecord


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
