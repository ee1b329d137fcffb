"""The PLC client: submissions, including those whose response is lost, and queries."""

import pytest
from aiohttp import web
from tests.at_network.peers import drop, serve

from at_network.plc_client import PlcClient
from at_protocol.crypto import k256
from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity.did_document import DidService
from at_protocol.identity.plc_operation import PlcOperation, cid_of, did_of, sign, to_json
from groundwork.errors import Conflict, NotFound, Refused, RemoteFailed, TooMany

KEY = k256.K256PrivateKey.from_bytes(b"\x01" * 32)


def operation(host: str = "pds.example.com", prev: str | None = None) -> PlcOperation:
    return sign(
        PlcOperation(
            rotation_keys=(format_did_key(KEY.public),),
            verification_methods={"atproto": format_did_key(KEY.public)},
            also_known_as=("at://alice.example.com",),
            services={"atproto_pds": DidService("AtprotoPersonalDataServer", f"https://{host}")},
            prev=prev,
        ),
        KEY,
    )


FIRST = operation()
DID = did_of(FIRST)


class Directory:
    """Stores what is posted; ``trouble`` fails a request before or after that."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.refusal = None
        self.loses_answers = False
        self.loses_questions = False

    async def post(self, request: web.Request) -> web.StreamResponse:
        posted = await request.json()
        if self.loses_questions:
            return drop(request)
        if self.refusal is not None:
            return self.refusal()
        self.log.append(posted)
        return drop(request) if self.loses_answers else web.Response()

    async def get(self, request: web.Request) -> web.StreamResponse:
        if not self.log:
            return web.json_response({"message": "DID not registered"}, status=404)
        match request.path.removeprefix(f"/{DID}"):
            case "/log/last":
                return web.json_response(self.log[-1])
            case "/log":
                return web.json_response(self.log)
            case "/log/audit":
                return web.json_response([{"did": DID, "operation": entry} for entry in self.log])
            case "/data":
                return web.json_response({"did": DID, "rotationKeys": []})
            case _:
                return web.json_response({"id": DID})


@pytest.fixture
def directory():
    return Directory()


@pytest.fixture
async def plc(http, directory):
    routes = {"POST /{did}": directory.post, "GET /{path:.*}": directory.get}
    async with serve(routes) as url:
        yield PlcClient(http, url + "/")


async def test_submitted_operation_is_in_the_log(plc, directory):
    await plc.submit(DID, FIRST)
    assert directory.log == [to_json(FIRST)]


async def test_lost_response_of_an_accepted_operation_is_success(plc, directory):
    """If the response is lost and the newest operation of the log is the submitted one, the submission succeeded and is
    not sent again.
    """
    directory.loses_answers = True
    await plc.submit(DID, FIRST)
    assert len(directory.log) == 1


async def test_lost_request_is_a_failure(plc, directory):
    directory.loses_questions = True
    with pytest.raises(RemoteFailed):
        await plc.submit(DID, FIRST)


async def test_lost_update_is_recognized_by_the_newest_operation(plc, directory):
    """After a lost response only the newest operation counts: an older operation of the same account does not prove
    that the new one was accepted.
    """
    await plc.submit(DID, FIRST)
    directory.loses_questions = True
    with pytest.raises(RemoteFailed):
        await plc.submit(DID, operation("other.example.com", str(cid_of(FIRST))))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: web.json_response({"message": "Invalid signature"}, status=400), Refused),
        (lambda: web.Response(status=400), Refused),
        (lambda: web.Response(status=409), Conflict),
        (lambda: web.Response(status=429), TooMany),
        (lambda: web.Response(status=500), RemoteFailed),
    ],
)
async def test_refusals_of_the_directory_have_kinds(plc, directory, answer, kind):
    directory.refusal = answer
    with pytest.raises(kind):
        await plc.submit(DID, FIRST)


async def test_each_form_of_the_log_is_read(plc, directory):
    await plc.submit(DID, FIRST)
    assert await plc.last(DID) == FIRST
    assert await plc.log(DID) == [FIRST]
    assert (await plc.audit_log(DID))[0]["did"] == DID
    assert (await plc.current(DID))["did"] == DID
    assert (await plc.document(DID)).did == DID


async def test_unknown_identity_is_not_found(plc):
    for ask in (plc.last, plc.log, plc.audit_log, plc.current, plc.document):
        with pytest.raises(NotFound) as failure:
            await ask(DID)
        assert failure.value.name == "DidNotFound"


async def test_nonsense_from_the_directory_is_its_failure(plc, directory):
    directory.log = [{"type": "nonsense"}]
    for ask in (plc.last, plc.log):
        with pytest.raises(RemoteFailed):
            await ask(DID)
