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

# What the PDS has, or may have.
_OUT_THERE = frozenset({State.PUBLISHED, State.RETRYING, State.REFUSED, State.CONFLICTED})


@dataclass(frozen=True, slots=True)
class Sync:
    """``since`` is when it last changed, in words. ``may_publish``: it was taken back, and may be published again."""

    words: str
    tone: str
    since: str
    may_ask: bool
    may_try: bool
    may_publish: bool
    may_take_back: bool
    must_sign_in: bool


def sync_of(standing: Standing, now: Instant) -> Sync:
    """The chip for one promise; what owes nothing is "only here"."""
    return Sync(
        words=standing.words(now),
        tone=_TONES.get(standing.state, "plain"),
        since=times.ago(standing.changed_at, now) if standing.changed_at else "",
        may_ask=standing.state is State.WITHHELD and not standing.is_recalled,
        may_try=standing.state in {State.RETRYING, State.REFUSED, State.CONFLICTED},
        may_publish=standing.is_recalled and standing.state in {State.WITHHELD, State.RETRACTED},
        may_take_back=standing.uri is not None and not standing.is_recalled and standing.state in _OUT_THERE,
        must_sign_in=standing.state is State.BLOCKED,
    )
