"""The caller as the author of views, and the URLs of their images."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from at_protocol.syntax.nsid import Nsid

AVATAR: Final = "avatar"
BANNER: Final = "banner"
THUMBNAIL: Final = "feed_thumbnail"
FULL_SIZE: Final = "feed_fullsize"

# Calls the app view on behalf of the caller. Returns None if the response is not a JSON object.
AskView = Callable[[Nsid, Mapping[str, str]], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Image URLs: those of the app view if ``pattern`` is set (``%s`` for size, DID and CID), otherwise this server's
    blobs.
    """

    pattern: str
    own_url: str

    def url(self, size: str, did: Did, blob: object) -> str | None:
        """Return the URL of an image that a record refers to; None if it is not a blob."""
        cid = cid_of(blob)
        if cid is None:
            return None
        if self.pattern:
            return self.pattern % (size, did, cid)
        return f"{self.own_url}/xrpc/com.atproto.sync.getBlob?did={quote(did, safe=':')}&cid={cid}"


@dataclass(frozen=True, slots=True)
class ViewingAccount:
    """The caller. ``profile`` is the current profile record as JSON values, empty if there is none."""

    did: Did
    handle: Handle
    profile: Mapping[str, Any]
    pictures: Pictures
    ask: AskView

    @property
    def basic(self) -> dict[str, Any]:
        """The account as ``app.bsky.actor.defs#profileViewBasic``."""
        return {"did": self.did, "handle": self.handle, **self.shown}

    @property
    def shown(self) -> dict[str, Any]:
        """The fields of every profile view that come from the profile record."""
        return without_absent(
            displayName=self.profile.get("displayName"),
            pronouns=self.profile.get("pronouns"),
            avatar=self.pictures.url(AVATAR, self.did, self.profile.get("avatar")),
        )

    @property
    def shown_in_full(self) -> dict[str, Any]:
        """The fields of the detailed profile view that come from the profile record."""
        return {
            **self.shown,
            **without_absent(
                description=self.profile.get("description"),
                website=self.profile.get("website"),
                banner=self.pictures.url(BANNER, self.did, self.profile.get("banner")),
                pinnedPost=self.profile.get("pinnedPost"),
            ),
        }

    def updated(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """Update a short view of the caller's profile from the record."""
        other_fields = {key: value for key, value in view.items() if key not in {"displayName", "pronouns", "avatar"}}
        return {**other_fields, **self.shown}


def without_absent(**fields: object) -> dict[str, Any]:
    """Return the fields that have a value, because views omit absent ones."""
    return {name: value for name, value in fields.items() if value is not None}


def cid_of(blob: object) -> str | None:
    """Return the CID of a blob in JSON form; None if it is not one."""
    ref = blob.get("ref") if isinstance(blob, dict) else None
    link = ref.get("$link") if isinstance(ref, dict) else None
    return link if isinstance(link, str) else None
