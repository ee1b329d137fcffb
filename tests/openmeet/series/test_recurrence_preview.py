"""The dates of a rule before it is saved: by a button, and while somebody types."""

import re

import httpx

from tests.openmeet.series.test_pages import FORM, ana, site
from tests.openmeet.site_under_test import inputs_of

__all__ = ["ana", "site"]


async def test_whole_days_come_back_as_days_and_are_previewed_as_days(ana: httpx.AsyncClient) -> None:
    """With a script the browser sends days alone, without one it sends times that do not count."""
    days = FORM | {"all_day": "yes", "starts": "2026-03-03", "ends": "2026-03-04", "preview": "yes"}
    for sent in (days, days | {"starts": "2026-03-03T18:00", "ends": "2026-03-04T20:00"}):
        shown = (await ana.post("/events/new", data=sent)).text
        assert re.findall(r'type="(\S+)" value="(2026\S+)"', shown) == [("date", "2026-03-03"), ("date", "2026-03-04")]
        preview = shown.split("rule-preview")[1].split("</div>")[0]
        assert "Every Tuesday" in preview
        assert "Tue 10 Mar 2026" in preview
        assert "00:00" not in preview
        assert "18:00" not in preview
    again = (await ana.post("/events/new", data=days | {"all_day": ""})).text
    assert 'type="datetime-local" value="2026-03-03T00:00"' in again, "a browser would drop a day without a time"


async def test_the_dates_follow_what_is_typed(ana: httpx.AsyncClient) -> None:
    """A fragment, by the fields of the form; one that is wrong or missing shows choices without dates."""
    fields = {name: FORM[name] for name in ("starts", "ends", "time_zone", "repeats")}
    shown = await ana.get("/recurrence/preview", params=fields)
    assert shown.status_code == 200
    assert "<strong>Every Tuesday at 18:00</strong>" in shown.text
    assert "Tue 31 Mar 2026, 18:00" in shown.text
    assert "<html" not in shown.text
    for wrong in (
        {"starts": "soon"},
        {"time_zone": "Mars/Base"},
        {"repeats": "FREQ=NEVER"},
        {"repeats": "custom", "custom_every": "0"},
    ):
        shown = await ana.get("/recurrence/preview", params=fields | wrong)
        assert shown.status_code == 200
        assert "<strong>" not in shown.text
        assert 'id="repeats"' in shown.text


async def test_the_preview_shows_sentence_and_dates_and_keeps_what_was_typed(ana: httpx.AsyncClient) -> None:
    shown = await ana.post("/events/new", data=FORM | {"description": "Bring a stand", "preview": "yes"})
    assert shown.status_code == 200
    assert "<strong>Every Tuesday at 18:00</strong>" in shown.text
    assert "Tue 31 Mar 2026, 18:00" in shown.text
    assert "Monthly on the first Tuesday" in shown.text or "first Tuesday" in shown.text
    assert "Bring a stand</textarea>" in shown.text
    assert inputs_of(shown.text)["title"] == "Practice"
