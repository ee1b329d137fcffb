"""Wrong operator passwords at any endpoint. There is a low limit per address and a daily limit in total.

When attackers have used up the guesses, operators can still sign in from addresses and browsers where they signed in
before, and from the server's own machine. This also helps behind an unconfigured proxy, where all clients share one
address.
"""

from dataclasses import dataclass

from aurora_locus.accounts import password_guesses
from aurora_locus.accounts.limits import OPERATOR_GUESSES, OPERATOR_SIGN_IN, key_of_identifier, widen
from aurora_locus.accounts.model import GuessContext
from aurora_locus.accounts.password_guesses import Guess
from aurora_locus.accounts.sign_in_source import SignInSource
from groundwork.clock import Clock
from groundwork.rate_limit.contract import Counters, Limit, spend

# The name of the person who signs in with the password from the settings.
OWN_NAME = "admin"

# All programs on the server's machine count as one source. A local user can read the settings without a password
# anyway.
_THIS_MACHINE = b"this machine"


@dataclass(frozen=True, slots=True)
class OperatorGuesses:
    """Password guess counters of one server."""

    guess_context: GuessContext
    counters: Counters
    clock: Clock

    async def count(self, name: str, source: SignInSource) -> Guess:
        """Count a password attempt for a name. Raises TooMany after too many attempts."""
        source_hash = await self._source_hash(name, source)
        if source_hash == password_guesses.ANYWHERE:
            await spend(self.counters, [(self._limit(OPERATOR_SIGN_IN), source.network)], now=self.clock.now())
        limit = OPERATOR_GUESSES if source_hash == password_guesses.ANYWHERE else OPERATOR_SIGN_IN
        return await password_guesses.take(self.guess_context, _subject(name), source_hash, limit)

    async def require_left(self, name: str, source: SignInSource) -> None:
        """Raise TooMany if even the right password would be refused now."""
        source_hash = await self._source_hash(name, source)
        if source_hash == password_guesses.ANYWHERE:
            limit, now = self._limit(OPERATOR_SIGN_IN), self.clock.now()
            state = await self.counters.add(limit, source.network, 0, now)
            if state.remaining == 0:
                raise password_guesses.guesses_used_up(limit, (limit.points, state.resets_at), now)
        limit = OPERATOR_GUESSES if source_hash == password_guesses.ANYWHERE else OPERATOR_SIGN_IN
        async with self.guess_context.db.reader() as reader:
            await password_guesses.require_left(reader, self.guess_context, _subject(name), source_hash, limit)

    async def note(self, name: str, source: SignInSource) -> None:
        """Record that an operator gave the right password from this source."""
        async with self.guess_context.db.reader() as reader:
            is_noted = await password_guesses.is_noted(reader, self.guess_context, _subject(name), source)
        if not is_noted:
            await self.guess_context.db.write(
                lambda w: password_guesses.note(w, self.guess_context, _subject(name), source)
            )

    async def _source_hash(self, name: str, source: SignInSource) -> bytes:
        if source.is_local and not source.device:
            return _THIS_MACHINE
        async with self.guess_context.db.reader() as reader:
            return await password_guesses.known_source(reader, self.guess_context, _subject(name), source)

    def _limit(self, limit: Limit) -> Limit:
        return widen(limit) if self.guess_context.is_wide else limit


def _subject(name: str) -> str:
    # Unknown names share about four thousand rows, so that invented names cannot fill the table.
    return f"operator:{OWN_NAME if name == OWN_NAME else key_of_identifier(name)[:3]}"
