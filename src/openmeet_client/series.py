"""Series: create, read, change one or many dates, cancel, undo."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec

from openmeet_client.model import (
    ChangedSeries,
    Consequences,
    DatePage,
    Dates,
    EditedSeries,
    NewSeries,
    Series,
    SeriesDate,
    SeriesEdit,
    SeriesPage,
)
from openmeet_client.transport import Query, Transport

WHOLE = Dates()


class AllSeries:
    """Series. ``if_match``: a revision. If the series has been changed since that revision, changing it raises Changed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def mine(self, *, per_page: int = 100) -> AsyncIterator[Series]:
        """Series that the caller hosts, all pages."""
        query: Query = {"limit": per_page}
        async for page in self._transport.pages("/api/series", SeriesPage, lambda page: page.cursor, query):
            for series in page.series:
                yield series

    async def create(self, new: NewSeries) -> Series:
        return await self._transport.change("POST", "/api/series", Series, new)

    async def begin_with(self, event: str, recurrence: str) -> Series:
        """Turn one of the caller's events into the first date of a new series."""
        path = f"/api/events/{quote(event, safe='')}/series"
        return await self._transport.change("POST", path, Series, {"recurrence": recurrence})

    async def get(self, slug: str) -> Series:
        return await self._transport.get(_series(slug), Series)

    async def dates(self, slug: str, *, limit: int = 30) -> list[SeriesDate]:
        """Upcoming dates, both stored and computed."""
        return (await self._transport.get(f"{_series(slug)}/dates", DatePage, {"limit": limit})).dates

    async def open_date(self, slug: str, original_date: str) -> SeriesDate:
        """The date with the slug of its event. If the date was only computed so far, its event is created now."""
        path = f"{_series(slug)}/dates/{quote(original_date, safe='')}"
        return await self._transport.change("POST", path, SeriesDate)

    async def plan(self, slug: str, changes: SeriesEdit) -> Consequences:
        """Preview an edit without changing anything."""
        return await self._transport.change("POST", f"{_series(slug)}/plan", Consequences, changes)

    async def edit(self, slug: str, changes: SeriesEdit, *, if_match: int | None = None) -> EditedSeries:
        """Edit a series. ``following`` splits it, and the result is the new series."""
        return await self._transport.change("POST", f"{_series(slug)}/edit", EditedSeries, changes, if_match=if_match)

    async def undo(self, slug: str, *, if_match: int | None = None) -> Series:
        """Undo the last edit of a series, which is possible for ten minutes."""
        return await self._transport.change("POST", f"{_series(slug)}/undo", Series, if_match=if_match)

    async def cancel(
        self, slug: str, reason: str = "", which: Dates = WHOLE, *, if_match: int | None = None
    ) -> ChangedSeries:
        body = {"reason": reason, **msgspec.to_builtins(which)}
        return await self._transport.change("POST", f"{_series(slug)}/cancel", ChangedSeries, body, if_match=if_match)

    async def reinstate(self, slug: str, which: Dates = WHOLE, *, if_match: int | None = None) -> ChangedSeries:
        path = f"{_series(slug)}/reinstate"
        return await self._transport.change("POST", path, ChangedSeries, which, if_match=if_match)

    async def pause(
        self, slug: str, reason: str = "", *, is_silent: bool = False, if_match: int | None = None
    ) -> Series:
        """Create no further dates until the series is resumed."""
        body = {"reason": reason, "isSilent": is_silent}
        return await self._transport.change("POST", f"{_series(slug)}/pause", Series, body, if_match=if_match)

    async def resume(self, slug: str, *, is_silent: bool = False, if_match: int | None = None) -> Series:
        """Resume a paused series. For a cancelled series, restore the dates that were cancelled with it."""
        body = {"isSilent": is_silent}
        return await self._transport.change("POST", f"{_series(slug)}/resume", Series, body, if_match=if_match)

    async def follow(self, slug: str, *, notifies: bool = True) -> None:
        await self._transport.act("PUT", f"{_series(slug)}/follow", {"notifies": notifies})

    async def unfollow(self, slug: str) -> None:
        await self._transport.act("DELETE", f"{_series(slug)}/follow")

    async def delete(self, slug: str, *, keep_events: bool, if_match: int | None = None) -> None:
        """Delete a series. ``keep_events``: keep the upcoming dates as single events."""
        query = {"keepEvents": "true" if keep_events else "false"}
        await self._transport.act("DELETE", _series(slug), query=query, if_match=if_match)


def _series(slug: str) -> str:
    return f"/api/series/{quote(slug, safe='')}"
