"""Dependencies and settings of the bridge of one community."""

from dataclasses import dataclass, field

from groundwork.blobstore.contract import BlobStore
from groundwork.database.transaction import Database
from groundwork.rate_limit.contract import Counters
from groundwork.sealing import Sealer
from groundwork.workers.pool import WorkerPool
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.matrix.calls import Homeserver, MatrixUser
from openmeet.matrix.names import PREFIX, bot_localpart


@dataclass(frozen=True, slots=True)
class Bridge:
    """One community's bridge. ``names``: display names that this process has set, by localpart. Without ``pictures``
    and ``workers``, pictures are described in words. ``picture_bytes``: maximum size of a fetched picture.
    ``counters``: rate limits for messages from Matrix; None means no limits. ``messages_per_hour``: limit per person.
    ``site_url``: URL of this site, shown to people in the room.
    """

    db: Database
    homeserver: Homeserver
    sealer: Sealer
    tenant: str
    federates: bool
    language: str
    pictures: BlobStore | None = None
    workers: WorkerPool | None = None
    picture_bytes: int = MAX_UPLOAD_BYTES
    names: dict[str, str] = field(default_factory=dict)
    counters: Counters | None = None
    messages_per_hour: int = 300
    site_name: str = "OpenMeet"
    site_url: str = ""

    @property
    def bot(self) -> MatrixUser:
        return self.homeserver.user(bot_localpart(self.tenant))

    def ghost(self, random_part: str) -> MatrixUser:
        """The ghost user of a person: the Matrix user that posts on their behalf."""
        return self.homeserver.user(self.ghost_localpart(random_part))

    def ghost_localpart(self, random_part: str) -> str:
        return f"{PREFIX}{self.tenant}_{random_part}"

    def random_part(self, user_id: str) -> str | None:
        """Return the random part of one of our users' ids; None for other users and for the bot."""
        start, end = f"@{PREFIX}{self.tenant}_", f":{self.homeserver.server_name}"
        if not user_id.startswith(start) or not user_id.endswith(end) or user_id == self.bot.user_id:
            return None
        return user_id[len(start) : -len(end)]

    def is_ours(self, user_id: str) -> bool:
        """Whether the user is in our namespace, in any community."""
        return user_id.startswith(f"@{PREFIX}") and user_id.endswith(f":{self.homeserver.server_name}")
