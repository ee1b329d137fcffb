"""Flags for those who ask often: read from the database at most once in ``MAX_AGE``, whoever asks."""

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader
from openmeet.flags import queries
from openmeet.flags.model import Flag, Switches

# How long after a flag was switched everybody acts by it, at the latest.
MAX_AGE = 5 * SECOND


class Switchboard:
    """One tenant's flags as last read. One per database, for as long as that is open."""

    def __init__(self) -> None:
        self._known: Switches | None = None
        self._read_at = Instant(0)

    async def switches(self, reader: Reader) -> Switches:
        """How the flags stand, at most ``MAX_AGE`` ago; ``reader`` is what is asked where that is too long ago."""
        if self._known is None or not 0 <= reader.now - self._read_at < MAX_AGE:
            known = await queries.switches(reader)
            self._known, self._read_at = known, reader.now
            return known
        return self._known

    async def is_on(self, reader: Reader, flag: Flag) -> bool:
        """Whether one flag is on, at most ``MAX_AGE`` ago."""
        return flag in await self.switches(reader)
