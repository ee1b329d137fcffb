"""A client of the JSON API creates, reads and changes a weekly practice."""

import httpx

# The test clock is set to Sunday 1 March 2026, noon UTC. In Berlin the clocks go forward on 29 March.
PRACTICE = {
    "title": "Practice",
    "startsLocal": "2026-03-03T18:00",
    "endsLocal": "2026-03-03T20:00",
    "timeZone": "Europe/Berlin",
    "recurrence": "FREQ=WEEKLY;BYDAY=TU",
}
FIRST, SECOND, THIRD = (f"2026-03-{day}T18:00:00" for day in ("03", "10", "17"))


async def create_series(client: httpx.AsyncClient, who: dict[str, str], **changes: object) -> dict:
    answer = await client.post("/api/series", json=PRACTICE | changes, headers=who)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def listed_dates(
    client: httpx.AsyncClient, series: dict, who: dict[str, str] | None = None, **window: str
) -> list[dict]:
    answer = await client.get(f"/api/series/{series['slug']}/dates", params=window, headers=who or {})
    assert answer.status_code == 200, answer.text
    return answer.json()["dates"]


async def post_to_series(
    client: httpx.AsyncClient, who: dict[str, str], series: dict, verb: str, body: object = None, **headers: str
):
    path = f"/api/series/{series['slug']}/{verb}"
    if body is None:
        return await client.post(path, headers=who | headers)
    return await client.post(path, json=body, headers=who | headers)


async def stored_at(client: httpx.AsyncClient, some: list[dict]) -> dict[str, str]:
    """The start times of these series' stored dates, by slug."""
    return {
        one["slug"]: one["startsAt"]
        for series in some
        for one in await listed_dates(client, series, **{"from": "2026-03-01T00:00", "limit": "60"})
        if one["isStored"]
    }


async def notification_count(client: httpx.AsyncClient, who: dict[str, str]) -> int:
    return len((await client.get("/api/notifications", headers=who)).json()["items"])


WEEKLY_PRACTICE = {
    "title": "Practice",
    "startsLocal": "2026-07-07T18:00",
    "endsLocal": "2026-07-07T20:00",
    "timeZone": "Europe/Berlin",
    "recurrence": "FREQ=WEEKLY;BYDAY=TU",
}
