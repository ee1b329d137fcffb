"""An answer from another app survives when its author signs up. OpenMeet stored it under a shadow account for her DID,
and merges that into the account that she created by e-mail.
"""

import re
from pathlib import Path

import httpx

from tests.interop.consent import allow
from tests.openmeet.sign_in.sign_in_site import where_of
from tests.simulation.oracle import RSVP
from tests.system.guests import account_on, password_of
from tests.system.servers import Account
from tests.system.single_process import Up, get, running_up, write_event_record
from tests.system.tour.polling import eventually

HANDLE = "zoe.test"


async def says(zoe: Account, subject: tuple[str, str], word: str) -> None:
    """Zoe answers with a record from another app."""
    uri, cid = subject
    record = {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": cid},
        "status": f"{RSVP}#{word}",
        "createdAt": "2026-11-20T12:00:00Z",
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"collection": RSVP, "rkey": uri.rpartition("/")[2], "record": record}
        answer = await zoe.call(http, "putRecord", body)
    assert answer.status_code == 200, answer.text


async def going(up: Up, uri: str) -> tuple[int, str]:
    """How many people attend the event of this record, and its URL. Waits until OpenMeet has the event."""

    async def look() -> tuple[int, str] | None:
        found = (await get(f"{up.openmeet}/api/events", uri=uri)).json()["events"]
        return (found[0]["counts"]["going"], found[0]["slug"]) if found else None

    return await eventually(look)


async def until_going(up: Up, uri: str, number: int) -> str:
    async def look() -> str | None:
        found, slug = await going(up, uri)
        return slug if found == number else None

    return await eventually(look)


async def signed_up(up: Up, browser: httpx.AsyncClient) -> None:
    """Sign up by e-mail, with the code from the development mailbox."""
    form = {"identifier": "zoe@example.net", "next": "/my/events"}
    asked = await browser.post("/sign-in", data=form)
    assert asked.status_code == 303, asked.text

    async def code() -> str | None:
        found = re.search(r"Your code: (\w{4} \w{4})", (await browser.get("/dev/mail")).text)
        return found[1] if found else None

    typed = {"challenge": asked.headers["location"].partition("challenge=")[2], "code": await eventually(code)}
    opened = await browser.post("/sign-in/code", data=typed)
    assert opened.status_code == 303, opened.text
    named = await browser.post("/welcome", data={"display_name": "Zoe Z.", "next": "/my/events"})
    assert named.status_code == 303, named.text


async def test_answer_of_a_shadow_account_survives_the_merge(tmp_path: Path) -> None:
    """There is one answer before and after. If she also answered by e-mail, the later answer counts. Her record still
    changes the answer.
    """
    async with running_up(tmp_path, "--ephemeral") as up:
        choir, chess = await write_event_record(up, "Choir rehearsal"), await write_event_record(up, "Chess night")
        zoe = await account_on(up.pds, HANDLE)
        for subject in (choir, chess):
            await says(zoe, subject, "going")
            await until_going(up, subject[0], 1)
        _, slug = await going(up, chess[0])
        async with httpx.AsyncClient(base_url=up.openmeet, headers={"origin": up.openmeet}, trust_env=False) as browser:
            await signed_up(up, browser)
            assert "Choir rehearsal" not in (await browser.get("/my/events")).text
            # Her answer on the page is the later one.
            answered = await browser.post(f"/events/{slug}/answer", data={"reply": "declined"})
            assert answered.status_code == 303, answered.text
            left = await browser.post("/settings/identity/link", data={"identifier": HANDLE})
            back = await allow(where_of(left), HANDLE, password_of(HANDLE))
            claimed = await browser.get(back)
            claim = claimed.headers["location"]
            assert claim.startswith("/settings/join/"), claimed.text
            shown = (await browser.get(claim)).text
            assert "<li>2 answers</li>" in shown
            joined = await browser.post(claim)
            assert joined.headers["location"] == claim, joined.text
            assert "Everything is in one place" in (await browser.get(claim)).text
            assert "Choir rehearsal" in (await browser.get("/my/events?which=going")).text
            assert "Chess night" not in (await browser.get("/my/events?which=going")).text
        assert (await going(up, choir[0]))[0] == 1
        assert (await going(up, chess[0]))[0] == 0
        page = (await get(f"{up.openmeet}/events/{(await going(up, choir[0]))[1]}")).text
        assert "Zoe Z." in page
        # Records that she writes after this still count as hers.
        await says(zoe, choir, "notgoing")
        await until_going(up, choir[0], 0)
