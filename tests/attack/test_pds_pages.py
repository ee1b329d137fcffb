"""Hostile input through every page of the PDS gets a normal response, never a server error, and changes nothing."""

import json
from base64 import urlsafe_b64encode

import pytest
from starlette.routing import Route

from aurora_locus.web import pages
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.oauth.apps import App
from tests.aurora_locus.oauth.consent_pages import hidden_fields, open_consent_page
from tests.aurora_locus.visitor import Visitor, token_in, visitor

FORM = {"content-type": "application/x-www-form-urlencoded"}

# Pages whose valid form would sign out or deactivate the account, so that the following requests would fail.
_ENDS_THE_VISIT = frozenset({"/sign-out", "/account/delete", "/account/deactivate"})


def said(challenge: object) -> str:
    inner = urlsafe_b64encode(json.dumps({"challenge": challenge}).encode()).decode().rstrip("=")
    return json.dumps({"id": "a", "rawId": "a", "type": "public-key", "response": {"clientDataJSON": inner}})


TEXTS = {
    "nothing": "",
    "NUL": "\x00",
    "half a surrogate": "%ED%A0%80",
    "overlong": "%C0%AF",
    "markup": '"><script>alert(1)</script>',
    "template": "{{ 7 * 7 }}{% raw %}",
    "lines": "a\r\nset-cookie: x=y\r\n\r\n",
    "long": "x" * 60_000,
    "right to left": "\u202etest.ada",
    "number": "-1e309",
    "JSON": "null",
    "deep JSON": "[" * 15_000,
    "no challenge": '{"response": {"clientDataJSON": "!"}}',
    "challenge of another kind": said(7),
    "challenge that was never ours": said("AAAA"),
}
# Every field name that any form of the pages reads.
NAMES = [
    "account",
    "change",
    "client_id",
    "code",
    "csrf",
    "domain",
    "email",
    "everybody",
    "handle",
    "identifier",
    "invite_code",
    "leave",
    "name",
    "next",
    "passkey",
    "password",
    "proof",
    "remember",
    "request_uri",
    "step",
    "ticket",
    "token",
    "username",
]


@pytest.fixture
async def deployment(make_sqlite, clock, tmp_path):
    plc = await make_sqlite("plc_directory")
    async with open_deployment(f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path) as opened:
        yield opened


@pytest.fixture
async def ada(deployment: Deployment):
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    await browser.sign_in("ada")
    yield browser
    await browser.http.aclose()


def paths(deployment: Deployment, method: str) -> list[str]:
    """Every page without a path parameter."""
    routes: list[Route] = pages.routes(deployment.pds.app.state.services.site, deployment.settings)
    return sorted({route.path for route in routes if method in (route.methods or ()) and "{" not in route.path})


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_hostile_form_fields_cause_no_failure(deployment: Deployment, ada: Visitor, text: str) -> None:
    """Every field of every form is attacked at once, with a valid token so that the code that reads them is reached."""
    for path in paths(deployment, "POST"):
        if path in _ENDS_THE_VISIT:
            continue
        token = token_in(await ada.get("/sign-in?another"))
        raw = text.startswith("%")
        fields = {name: text for name in NAMES if name != "csrf"}
        if raw:
            body = f"csrf={token}&" + "&".join(f"{name}={text}" for name in fields)
            answer = await ada.http.post(path, content=body, headers={**ada.sends, **FORM})
        else:
            answer = await ada.post(path, {"csrf": token, **fields})
        assert answer.status_code < 500, (path, answer.text[:300])
        assert "x" not in answer.cookies
        assert "<script>alert" not in answer.text
        assert "49{%" not in answer.text
    assert await ada.is_signed_in()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_hostile_values_in_every_query_parameter(deployment: Deployment, ada: Visitor, text: str) -> None:
    for path in paths(deployment, "GET"):
        query = "&".join(f"{name}={text[:200]}" for name in NAMES) if text.startswith("%") else ""
        parameters = dict.fromkeys(NAMES, text[:200])
        answer = await (ada.get(f"{path}?{query}") if query else ada.get(path, **parameters))
        assert answer.status_code < 500, (path, answer.text[:300])
        assert "<script>alert" not in answer.text
        location = answer.headers.get("location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b'{"csrf": 1}', "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (
            b"--x\r\ncontent-disposition: form-data; name=a; filename=b\r\n\r\nc\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"x", "multipart/form-data"),
        (b"&".join(b"a%d=b" % number for number in range(3000)), "application/x-www-form-urlencoded"),
        (b"=&=&&&%%%", "application/x-www-form-urlencoded"),
    ],
    ids=["empty", "JSON", "cut off", "a file", "no boundary", "thousands", "no names"],
)
async def test_invalid_form_bodies_are_refused(deployment: Deployment, ada: Visitor, content: bytes, kind: str) -> None:
    for path in paths(deployment, "POST"):
        answer = await ada.http.post(path, content=content, headers={**ada.sends, "content-type": kind})
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
    assert await ada.is_signed_in()


@pytest.mark.parametrize("value", ["", "x", "A" * 22, "A" * 5000, "../../etc", "%00", "é"], ids=range(7))
async def test_made_up_cookies_are_ignored(deployment: Deployment, ada: Visitor, value: str) -> None:
    cookie = f"aurora_browser={value}; aurora_session={value}; aurora_flash={value}".encode("utf-8", "replace")
    for path in paths(deployment, "GET"):
        headers = [(b"cookie", cookie), (b"sec-fetch-site", b"same-origin")]
        answer = await ada.http.request("GET", path, headers=headers)
        assert answer.status_code < 500, path
        assert "@ada.test" not in answer.text


async def test_consent_form_with_wrong_fields_is_refused(ada: Visitor, deployment: Deployment) -> None:
    """A consent form with wrong fields is refused, although the request exists and the account is signed in."""
    app = App(deployment)
    page = await open_consent_page(ada, app)
    right = hidden_fields(page, "approve")
    for name in ("account", "proof", "client_id", "request_uri"):
        for text in TEXTS.values():
            answer = await ada.post("/oauth/authorize", {**right, "step": "approve", name: text})
            assert answer.status_code < 500
            if name != "proof":
                assert "code=" not in answer.headers.get("location", "")
    assert await deployment.count("oauth_sessions") == 0
