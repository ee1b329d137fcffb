"""Steps of a person on the pages that join two accounts."""

from urllib.parse import parse_qs, urlsplit

import httpx

from openmeet.domain.sign_in.model import code_of
from tests.openmeet.site_under_test import CODE_KEY


async def prove_address(browser: httpx.AsyncClient, email: str) -> str:
    """Request a code for the address, enter it, and return where the response redirects to."""
    asked = await browser.post("/settings/join", data={"email": email})
    (challenge,) = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"]
    right = code_of(CODE_KEY, challenge)
    wrong = await browser.post(
        "/settings/join/code", data={"challenge": challenge, "code": str(int(right[0] == "0")) * 6}
    )
    assert wrong.status_code == 400
    assert "That code is wrong" in wrong.text
    proven = await browser.post("/settings/join/code", data={"challenge": challenge, "code": right})
    assert proven.status_code == 303
    return proven.headers["location"]
