"""How the record of an event or an answer stands, as its owner sees it: one chip with words, and one next step."""

from dataclasses import dataclass

from groundwork.clock import Instant
from openmeet.debts.publications import Standing, State
from openmeet.site import times

_TONES = {
    State.PUBLISHED: "good",
    State.BLOCKED: "warn",
    State.REFUSED: "warn",
    State.CONFLICTED: "warn",
}


@dataclass(frozen=True, slots=True)
class Sync:
    """``since`` is when it last changed, in words. At most one of the three next steps is offered."""

    words: str
    tone: str
    since: str
    may_ask: bool
    may_try: bool
    must_sign_in: bool


def sync_of(standing: Standing, now: Instant) -> Sync:
    """The chip for one promise; what owes nothing is "only here"."""
    return Sync(
        words=standing.words(now),
        tone=_TONES.get(standing.state, "plain"),
        since=times.ago(standing.changed_at, now) if standing.changed_at else "",
        may_ask=standing.state is State.WITHHELD,
        may_try=standing.state in {State.RETRYING, State.REFUSED, State.CONFLICTED},
        must_sign_in=standing.state is State.BLOCKED,
    )
