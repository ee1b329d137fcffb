"""Forms, posted over a real socket."""

import datetime as dt

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, InvalidInput
from groundwork.http.application import Application
from groundwork.http.forms import CSRF_FIELD, IDEMPOTENCY_FIELD, Csrf, Form, fresh_idempotency_key, read_form
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics

CSRF = Csrf(b"k" * 32, ["https://town.net"])


async def create(request: Request) -> Response:
    form = await read_form(request, CSRF, request.cookies.get("session", ""))
    name = form.text("name", max_characters=10, label="The name")
    seats = form.whole_number("seats", lowest=1, highest=99, required=False, label="The number of seats")
    form.refuse_if_wrong()
    picture = form.file("picture")
    return JSONResponse({"name": name, "seats": seats, "picture": len(picture.body) if picture else None})


@pytest.fixture
async def server():
    async with serving(Application([Route("/create", create, methods=["POST"])], Metrics("test"))) as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession(cookies={"session": "s1"}) as opened:
        yield opened


def of(typed: dict[str, str]) -> Form:
    return Form({name: [value] for name, value in typed.items()})


def fields(**more: str) -> dict[str, str]:
    return {CSRF_FIELD: CSRF.token("s1"), **more}


async def test_a_form_of_ours_is_read(server, session):
    async with session.post(f"{server.url}/create", data=fields(name=" Picnic ", seats="7")) as response:
        assert await response.json() == {"name": "Picnic", "seats": 7, "picture": None}


async def test_a_multipart_form_brings_its_file(server, session):
    form = aiohttp.FormData(fields(name="Picnic"))
    form.add_field("picture", b"\x89PNG", filename="a.png")
    async with session.post(f"{server.url}/create", data=form) as response:
        assert (await response.json())["picture"] == 4


async def test_every_wrong_field_is_told_at_once(server, session):
    async with session.post(f"{server.url}/create", data=fields(name="much too long", seats="none")) as response:
        assert response.status == 400
        assert (await response.json(content_type=None))["fields"] == {
            "name": "The name has 13 characters; at most 10 fit.",
            "seats": "The number of seats must be a whole number.",
        }


@pytest.mark.parametrize("token", ["", "x", CSRF.token("s2"), Csrf(b"j" * 32, []).token("s1")])
async def test_a_form_of_another_session_is_refused(server, session, token):
    async with session.post(f"{server.url}/create", data={CSRF_FIELD: token, "name": "x"}) as response:
        assert response.status == 403


@pytest.mark.parametrize(("origin", "status"), [("https://town.net", 200), ("https://evil.net", 403), ("null", 403)])
async def test_the_origin_must_be_ours(server, session, origin, status):
    async with session.post(f"{server.url}/create", data=fields(name="x"), headers={"origin": origin}) as response:
        assert response.status == status


async def test_json_is_no_form(server, session):
    async with session.post(f"{server.url}/create", json=fields(name="x")) as response:
        assert response.status == 400


async def test_too_many_fields_are_a_bad_request(server, session):
    many = fields(**{f"f{number}": "x" for number in range(600)})
    async with session.post(f"{server.url}/create", data=many) as response:
        assert response.status == 400


# --- reading


def test_what_was_typed_is_kept():
    form = of({"name": "  as typed "})
    form.text("name", max_characters=3)
    assert form.typed("name") == "  as typed "


def test_text_line_ends_and_controls():
    assert of({"x": "a\r\nb\rc"}).text("x") == "a\nb\nc"
    form = of({"x": "a\x00b"})
    form.text("x")
    assert "x" in form.problems


def test_a_missing_required_field_is_a_sentence():
    form = of({})
    form.text("name", label="The name")
    assert form.problems == {"name": "The name is needed."}
    assert form.text("other", required=False) == ""
    with pytest.raises(InvalidForm):
        form.refuse_if_wrong()


@pytest.mark.parametrize(("typed", "value"), [("7", 7), (" 7 ", 7), ("", None)])
def test_whole_numbers(typed, value):
    form = of({"n": typed})
    assert form.whole_number("n", required=False) == value
    assert not form.problems


@pytest.mark.parametrize("typed", ["1.5", "seven", "1e3", "٣", "-1", "100", "9" * 30])
def test_bad_whole_numbers(typed):
    form = of({"n": typed})
    assert form.whole_number("n", highest=99) is None
    assert form.problems


def test_local_times_have_no_zone():
    form = of({"a": "2026-11-20T18:00", "b": "2026-02-30T18:00", "c": "tomorrow", "d": "2026-11-20T18:00Z"})
    assert form.local_time("a") == dt.datetime(2026, 11, 20, 18, 0)  # noqa: DTZ001
    for field in "bcd":
        assert form.local_time(field) is None
        assert field in form.problems


def test_choices_ticks_and_parsers():
    form = of({"colour": "red", "agree": "on", "did": "x", "other": "green"})
    assert form.one_of("colour", {"red": 1, "blue": 2}) == 1
    assert form.one_of("other", {"red": 1, "blue": 2}) is None
    assert form.is_ticked("agree")
    assert not form.is_ticked("absent")
    assert form.parsed("did", int, why="That is no number.") is None
    assert form.problems == {"other": "This field: choose one of red, blue.", "did": "That is no number."}


def test_a_password_is_taken_as_typed():
    assert of({"p": " secret "}).password("p") == " secret "


def test_the_idempotency_key_is_that_of_the_rendering():
    key = fresh_idempotency_key()
    assert of({IDEMPOTENCY_FIELD: key}).idempotency_key() == key
    for bad in ("", "short", "x" * 65, "with spaces in it here"):
        with pytest.raises(InvalidInput):
            of({IDEMPOTENCY_FIELD: bad}).idempotency_key()
