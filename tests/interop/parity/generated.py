"""Requests derived from a method's Lexicon, each with one error or none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import (
    ArrayType,
    BooleanType,
    IntegerType,
    ObjectType,
    ParamsType,
    ProcedureType,
    QueryType,
    StringType,
)
from tests.interop.parity.sides import Account, Side, basic, bearer

CATALOG = Catalog()

_SERVER = "com.atproto.server"

# Methods that need another token than an account's. Methods that end or use up these tokens are tested by hand.
_BY_REFRESH_TOKEN = frozenset({f"{_SERVER}.refreshSession", f"{_SERVER}.deleteSession"})
_BY_ADMINISTRATION = frozenset({f"{_SERVER}.createInviteCode", f"{_SERVER}.createInviteCodes"})
_BY_ANYBODY = frozenset(
    {
        f"{_SERVER}.{name}"
        for name in (
            "createAccount",
            "createSession",
            "deleteAccount",
            "describeServer",
            "requestPasswordReset",
            "reserveSigningKey",
            "resetPassword",
        )
    }
)

# A valid value by the name of a parameter or field, then by its format; the Lexicons do not define everything.
_BY_NAME: dict[str, Any] = {
    "collection": "org.example.note",
    "rkey": "first",
    "record": {"$type": "org.example.note", "text": "a note"},
    "writes": [],
    "identifier": "carol.test",
    "password": "password of carol",
    "email": "carol@example.org",
    "token": "AAAAA-BBBBB",
    "lxm": "app.bsky.feed.getTimeline",
    "hostname": "relay.example.org",
    "keyword": "nothing",
    "useCount": 1,
    "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": "<carol>"},
    "reasonType": "com.atproto.moderation.defs#reasonSpam",
    "operation": {},
    "signingKey": "did:key:zQ3shunBKsXixLxKtC5qeSG9E4J5RkGN57im31pcTzbNQnm5w",
    "name": "the name",
    "scope": "ref:com.example.scope",
    "phoneNumber": "+1 555 0100",
}
_BY_FORMAT: dict[str, Any] = {
    "at-identifier": "<carol>",
    "at-uri": "at://<carol>/org.example.note/first",
    "cid": "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee",
    "datetime": "2020-01-01T00:00:00.000Z",
    "did": "<carol>",
    "handle": "carol.test",
    "nsid": "org.example.note",
    "record-key": "first",
    "tid": "3jzfcijpj2z2a",
    "uri": "https://example.org/",
}
_BAD_TEXT = "not right at all!"
_LONG = 5000
_MANY = 200


@dataclass(frozen=True)
class Request:
    """One request: ``query`` as pairs, and ``content`` if the body is not JSON."""

    label: str
    method: str
    query: tuple[tuple[str, str], ...] = ()
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] | None = None
    by: str = "right"


async def ask_all(side: Side, nsid: str, carol: Account, app: Account) -> None:
    """Send all requests derived from the Lexicon of a method, as Carol or as the account that may call it. ``app`` has
    an app password of hers.
    """
    definition = CATALOG.find_method(nsid)
    assert isinstance(definition, QueryType | ProcedureType)
    ways: dict[str, dict[str, str]] = {
        "right": _right(side, nsid, carol),
        "nobody": {},
        "garbage": bearer("garbage"),
        "a token of somebody else's": bearer(_FOREIGN_TOKEN),
        "a scheme that nobody knows": {"authorization": "Token garbage"},
        "a scheme alone": {"authorization": "Bearer"},
        "a wrong password": basic("admin", "wrong"),
        "administration": side.admin,
        "account": carol.access,
        "refresh token": carol.refresh,
        "app password": app.access,
        "DPoP without proof": {"authorization": f"DPoP {_FOREIGN_TOKEN}"},
    }
    for request in requests(nsid, definition):
        await side.ask(
            request.label,
            request.method,
            nsid,
            query=[(name, text.replace("<carol>", carol.did)) for name, text in request.query] or None,
            json=_of(request.json, carol.did),
            content=request.content,
            headers={**ways[request.by], **(request.headers or {})},
        )


# Not signed by either server; its header and claims are those of an access token.
_FOREIGN_TOKEN = (
    "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9."
    "eyJzdWIiOiJkaWQ6cGxjOmFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYSIsInNjb3BlIjoiY29tLmF0cHJvdG8uYWNjZXNzIn0.AAAA"
)


def _right(side: Side, nsid: str, carol: Account) -> dict[str, str]:
    if nsid in _BY_REFRESH_TOKEN:
        return carol.refresh
    if nsid.startswith("com.atproto.admin.") or nsid in _BY_ADMINISTRATION:
        return side.admin
    return {} if nsid in _BY_ANYBODY else carol.access


def requests(nsid: str, definition: QueryType | ProcedureType) -> Iterator[Request]:
    """The requests for one method."""
    method = "GET" if isinstance(definition, QueryType) else "POST"
    params = definition.parameters or ParamsType()
    query = {name: _value(name, params.properties[name]) for name in params.required}
    body = _body(definition)
    right = Request("", method, _pairs(query), body)
    yield from _wrong_verbs(method, right)
    yield from _ways_in(nsid, right)
    yield from _wrong_parameters(right, params, query)
    if isinstance(definition, ProcedureType):
        yield from _wrong_bodies(nsid, right, definition)


def _wrong_verbs(method: str, right: Request) -> Iterator[Request]:
    for verb in ("GET", "POST", "PUT", "OPTIONS"):
        if verb != method:
            yield Request(f"with {verb}", verb, right.query, right.json if verb in ("POST", "PUT") else None)
    yield Request("with HEAD and nothing else", "HEAD")


def methods_of(prefix: str) -> list[str]:
    """Every query and procedure below a name, in alphabetical order."""
    names = (name for name in CATALOG.names() if name.startswith(prefix))
    return sorted(name for name in names if isinstance(CATALOG.find_method(name), QueryType | ProcedureType))


def _ways_in(nsid: str, right: Request) -> Iterator[Request]:
    for by in (
        "nobody",
        "garbage",
        "a token of somebody else's",
        "a scheme that nobody knows",
        "a scheme alone",
        "a wrong password",
        "DPoP without proof",
        "administration",
        "account",
        "refresh token",
        "app password",
    ):
        if by == "refresh token" and nsid in _BY_REFRESH_TOKEN:
            continue
        yield Request(f"by {by}", right.method, right.query, right.json, by=by)


def _wrong_parameters(right: Request, params: ParamsType, query: dict[str, Any]) -> Iterator[Request]:
    for name, schema in params.properties.items():
        others = _pairs({key: value for key, value in query.items() if key != name})
        if name in query:
            yield Request(f"without {name}", right.method, others, right.json)
        for what, texts in _wrong_texts(schema):
            pairs = (*others, *((name, text) for text in texts))
            yield Request(f"{name} {what}", right.method, pairs, right.json)
    if right.method == "GET":
        yield Request("with an unknown parameter", "GET", (*_pairs(query), ("nobodyKnows", "this")))


def _wrong_texts(schema: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "empty", ("",)
    match schema:
        case IntegerType():
            yield "is a word", ("many",)
            yield "is negative", ("-1",)
            yield "is 0", ("0",)
            yield "is huge", ("99999999999999999999",)
            yield "is above the largest", (str((schema.maximum or 10**9) + 1),)
            yield "is given twice", ("5", "6")
        case BooleanType():
            yield "is 1", ("1",)
            yield "is a word", ("maybe",)
            yield "is given twice", ("true", "false")
        case ArrayType():
            yield "holds nonsense", (_BAD_TEXT,)
            yield "holds many", ("x",) * _MANY
        case StringType():
            yield "is nonsense", (_BAD_TEXT,)
            text = _value("", schema)
            yield "is given twice", (text, text)
            yield "is given twice, once wrong", (text, _BAD_TEXT)
            yield "is long", ("a" * _LONG,)
            yield "is a NUL", ("\0",)
            yield "is a number", ("5",)


def _wrong_bodies(nsid: str, right: Request, definition: ProcedureType) -> Iterator[Request]:
    if definition.input is None:
        yield Request("with a body that nobody takes", "POST", right.query, {"some": "thing"})
        return
    if definition.input.encoding != "application/json":
        return
    as_json = {"content-type": "application/json"}
    yield Request("with an empty body", "POST", right.query, headers=as_json, content=b"")
    yield Request("without a body", "POST", right.query)
    yield Request("with broken JSON", "POST", right.query, headers=as_json, content=b'{"a":')
    yield Request("with a list", "POST", right.query, [])
    yield Request("with a text", "POST", right.query, "text")
    yield Request("with null", "POST", right.query, headers=as_json, content=b"null")
    yield Request("with JSON that is no UTF-8", "POST", right.query, headers=as_json, content=b'{"a":"\xff"}')
    for other in ("text/plain", "nonsense"):
        yield Request(f"with a body of type {other}", "POST", right.query, right.json, headers={"content-type": other})
    yield Request("with a body that is too large", "POST", right.query, {**right.json, "padding": "x" * 1_100_000})
    schema = definition.input.schema
    if not isinstance(schema, ObjectType):
        return
    for name, field in schema.properties.items():
        if name in schema.required:
            yield Request(f"without {name}", "POST", right.query, {k: v for k, v in right.json.items() if k != name})
        for what, value in _wrong_values(name, field):
            yield Request(f"{name} {what}", "POST", right.query, {**right.json, name: value})


def _wrong_values(name: str, field: Any) -> Iterator[tuple[str, Any]]:
    yield (
        "is a number" if not isinstance(field, IntegerType) else "is a text",
        5 if not isinstance(field, IntegerType) else "five",
    )
    yield "is null", None
    if isinstance(field, StringType) and field.format is not None:
        yield "is nonsense", _BAD_TEXT
        yield "is empty", ""


def _body(definition: QueryType | ProcedureType) -> Any:
    if isinstance(definition, QueryType) or definition.input is None:
        return None
    schema = definition.input.schema
    if not isinstance(schema, ObjectType):
        return None
    return {name: _value(name, schema.properties[name]) for name in schema.required}


def _value(name: str, field: Any) -> Any:
    if name in _BY_NAME:
        return _BY_NAME[name]
    match field:
        case StringType(format=None):
            return (field.enum or field.known_values or ("some text",))[0]
        case StringType():
            return _BY_FORMAT[field.format or ""]
        case IntegerType():
            return max(field.minimum or 0, 1)
        case BooleanType():
            return False
        case ArrayType():
            return [_value("", field.items)]
        case _:
            return {}


def _pairs(query: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, str(each)) for name, value in query.items() for each in (value if isinstance(value, list) else [value])
    )


def _of(value: Any, did: str) -> Any:
    match value:
        case str():
            return value.replace("<carol>", did)
        case dict():
            return {key: _of(each, did) for key, each in value.items()}
        case list():
            return [_of(each, did) for each in value]
        case _:
            return value
