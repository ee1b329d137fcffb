"""A model of the search: random events, random questions, and which events answer which question."""

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta

from groundwork.clock import Instant, to_datetime
from groundwork.geo_points import SearchArea
from openmeet.domain.events import queries
from openmeet.domain.events.model import RecordOrigin
from openmeet.domain.events.values import Mode
from openmeet.domain.search.search import EventOrigin, SearchQuery
from tests.openmeet.site_under_test import event_by, person

EVENT_COUNT, QUESTION_COUNT = 60, 40
MODEL_WORDS = ("tea", "teapot", "jazz", "choir", "chess", "walk", "kite")
MODEL_TOWNS = {"Berlin": ("52.52", "13.405"), "Potsdam": ("52.39", "13.06"), "Suva": ("-18.14", "178.44")}
MODEL_CATEGORIES = ("music", "games", "food")


@dataclass(frozen=True)
class ModelEvent:
    """An event in the model."""

    id: str
    title: list[str]
    text: list[str]
    starts_at: Instant
    over_at: Instant
    category: str
    mode: Mode
    origin: RecordOrigin
    deployment: str
    is_public: bool

    def has(self, word: str, *, in_title: bool) -> bool:
        return any(one.startswith(word) for one in (self.title if in_title else [*self.title, *self.text]))

    def fits(self, wanted: SearchQuery, now: Instant) -> bool:
        day = to_datetime(self.starts_at).date()
        return (
            self.is_public
            and (self.over_at > now if wanted.first is None else day >= wanted.first)
            and (wanted.last is None or day <= wanted.last)
            and all(self.has(word, in_title=False) for word in wanted.words)
            and (not wanted.topics or wanted.topics == (f"category:{self.category}",))
            and (wanted.mode is None or self.mode in {wanted.mode, Mode.HYBRID})
            and (
                wanted.source is EventOrigin.ALL
                or (wanted.source is EventOrigin.ATPROTO) is (self.origin is RecordOrigin.NETWORK)
            )
            # Suva is too far from the other two for any search in this test. The other two are 27.5 km apart.
            and (
                wanted.near is None
                or self.deployment == "Berlin"
                or (self.deployment == "Potsdam" and wanted.near.within_km > 27)
            )
        )


async def insert_random_events(tx, chosen: random.Random) -> list[ModelEvent]:
    ana, known = await person(tx, "Ana"), []
    today = to_datetime(tx.now).replace(tzinfo=None, hour=0, minute=0)
    for _ in range(EVENT_COUNT):
        title = chosen.sample(MODEL_WORDS, chosen.randint(1, 2))
        text = chosen.sample(MODEL_WORDS, chosen.randint(0, 3))
        # Past events, events that have been running for an hour or for weeks, soon, or in years. Several are at the
        # same moment.
        starts = today + timedelta(
            days=chosen.choice((-400, -30, -2, -1, 0, 0, 1, 1, 20, 70, 400, 5_000)), hours=chosen.choice((8, 12, 23))
        )
        ends = starts + timedelta(hours=chosen.choice((1, 3, 24, 25, 24 * 40)))
        category, mode = chosen.choice(MODEL_CATEGORIES), chosen.choice(list(Mode))
        visibility = chosen.choice(("public",) * 5 + ("unlisted", "private"))
        event = await event_by(
            tx,
            ana,
            title=" ".join(title),
            description=" ".join(text),
            starts=starts.isoformat()[:16],
            ends=ends.isoformat()[:16],
            time_zone="UTC",
            categories=category,
            mode=mode.value,
            online_url="" if mode is Mode.IN_PERSON else "https://x.example",
            venue_name="",
            locality="",
            visibility=visibility,
        )
        deployment, origin = chosen.choice(list(MODEL_TOWNS)), chosen.choice(list(RecordOrigin))
        latitude, longitude = MODEL_TOWNS[deployment]
        venue = replace(event.content.venue, latitude=latitude, longitude=longitude)
        placed = replace(event, content=replace(event.content, venue=venue))
        await queries.update(tx, placed, search_text=f"{event.title}\n{event.content.description}")
        await tx.execute("update events set origin = :origin where id = :id", origin=origin.value, id=event.id)
        # Online events cannot be found near a place.
        deployment = "" if mode is Mode.ONLINE else deployment
        starts_at, over_at = event.starts_at, event.over_at
        assert starts_at is not None
        assert over_at is not None
        known.append(
            ModelEvent(
                event.id, title, text, starts_at, over_at, category, mode, origin, deployment, visibility == "public"
            )
        )
        if chosen.random() < 0.1:
            await queries.update(tx, replace(placed, deleted_at=tx.now), search_text="")
            known.pop()
    return known


def random_question(chosen: random.Random, today: date) -> SearchQuery:
    days = [today + timedelta(days=days) for days in (-40, -1, 0, 1, 30, 500)]
    first = chosen.choice((None, None, *days))
    last = chosen.choice((None, None, *days))
    return SearchQuery(
        words=tuple(chosen.sample(("tea", "te", "jazz", "choir", "che", "w", "t", "k"), chosen.choice((0, 1, 1, 2)))),
        first=first,
        last=last,
        topics=(f"category:{chosen.choice(MODEL_CATEGORIES)}",) if chosen.random() < 0.3 else (),
        mode=chosen.choice((None, None, Mode.ONLINE, Mode.IN_PERSON)),
        source=chosen.choice((EventOrigin.ALL, EventOrigin.ALL, EventOrigin.OPENMEET, EventOrigin.ATPROTO)),
        near=SearchArea(52.52, 13.405, chosen.choice((10, 30))) if chosen.random() < 0.3 else None,
    )
