"""Flags for those who ask often: read from the database at most once in ``MAX_AGE``, whoever asks; a no that counts is asked anew.

Switching a flag on has everything looked at that it had passed over, once. Who looks then must know of it, whatever they knew a
moment before.
"""

from collections.abc import Collection

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader
from openmeet.feature_flags import queries
from openmeet.feature_flags.model import Flag, Switches

# How long after a flag was switched everybody acts by it, at the latest.
MAX_AGE = 5 * SECOND


class Switchboard:
    """One tenant's flags as last read. One per database, for as long as that is open."""

    def __init__(self) -> None:
        self._known: Switches | None = None
        self._read_at = Instant(0)

    async def switches(self, reader: Reader, wanted: Collection[Flag] = ()) -> Switches:
        """How the flags stand, at most ``MAX_AGE`` ago; ``reader`` is what is asked where that is too long ago.

        ``wanted``: flags without which something is passed over now. Where one of them is off that is so at this moment.
        """
        known = self._known
        if known is None or not 0 <= reader.now - self._read_at < MAX_AGE or not known.on.issuperset(wanted):
            known = await queries.switches(reader)
            self._known, self._read_at = known, reader.now
        return known

    async def is_on(self, reader: Reader, flag: Flag) -> bool:
        """Whether one flag is on: a yes is at most ``MAX_AGE`` old, a no is new."""
        return flag in await self.switches(reader, {flag})
