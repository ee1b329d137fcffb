"""Every field of every XRPC method, one at a time: absent, null, of each wrong type, too long, hostile.

Input that the method's Lexicon refuses gets the error for that before anything else happens, and nothing is stored.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from at_protocol.data import json_form
from at_protocol.failures import Malformed
from at_protocol.lexicon import document
from at_protocol.lexicon.document import full_reference
from at_protocol.lexicon.validate import validate_input
from at_protocol.xrpc.parameters import decode_parameters
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Method
from aurora_locus.xrpc.table import table
from tests.attack.garbage import TEXTS, internals_in
from tests.aurora_locus.conftest import deployment, make_deployment, pds_url
from tests.aurora_locus.deployment import CATALOG, Deployment, Person

__all__ = ["deployment", "make_deployment", "pds_url"]

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

# All other methods are for the host's own administrators.
_OF_ACCOUNTS: Final = {
    AccessLevel.OPTIONAL,
    AccessLevel.ACCESS,
    AccessLevel.FULL_ACCESS,
    AccessLevel.REFRESH,
    AccessLevel.SERVICE,
    AccessLevel.ARRIVAL,
}

AT_ONCE: Final = 16
ABSENT: Final = object()

_DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
_CID = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"
_FITTING: Final = {
    "did": _DID,
    "handle": "nobody.test",
    "at-identifier": _DID,
    "at-uri": f"at://{_DID}/org.example.note/one",
    "nsid": "org.example.note",
    "cid": _CID,
    "datetime": "2026-03-01T12:00:00Z",
    "uri": "https://example.org/",
    "tid": "3jzfcijpj2z2a",
    "record-key": "one",
    "language": "en",
}
_WRONG: Final = (ABSENT, None, True, 7, -1, 1.5, "x", "", "x" * 30_000, [], [None], {}, {"$type": "x"}, {"$link": 1})
_WRONG_TEXTS: Final = ("", "x", "0x10", "1e3", "-1", "9" * 30, "true", "null", "x" * 4000, *TEXTS[4:12])


def fitting(kind: Any, nsid: str) -> Any:
    """The smallest value that the Lexicon accepts."""
    match kind:
        case document.ObjectType() | document.ParamsType():
            return {name: fitting(kind.properties[name], nsid) for name in kind.required}
        case document.ArrayType():
            return [fitting(kind.items, nsid) for _ in range(kind.min_length or 1)]
        case document.BooleanType():
            return True
        case document.IntegerType():
            return max(1, kind.minimum or 1)
        case document.StringType():
            if kind.enum or kind.const:
                return kind.const or kind.enum[0]
            return _FITTING.get(kind.format or "", "x" * max(3, kind.min_length or 3))
        case document.RefType():
            return fitting(CATALOG.definition(full_reference(kind.ref, nsid)), kind.ref.partition("#")[0] or nsid)
        case document.UnionType():
            chosen = full_reference(kind.refs[0], nsid)
            return {"$type": chosen, **fitting(CATALOG.definition(chosen), chosen.partition("#")[0])}
        case document.LinkType():
            return {"$link": _CID}
        case document.BytesType():
            return {"$bytes": "AAAA"}
        case document.BlobType():
            return {"$type": "blob", "ref": {"$link": _CID}, "mimeType": "text/plain", "size": 1}
        case _:
            return {"a": 1}


def hurt_inputs(schema: Any, nsid: str) -> Iterator[Any]:
    """The valid input with one field replaced, and values that are not an input object at all."""
    yield from ([], "x", 7, None, True)
    if not isinstance(schema, document.ObjectType):
        return
    base = fitting(schema, nsid)
    for name, kind in schema.properties.items():
        for value in _WRONG:
            yield with_field(base, name, value)
        if isinstance(kind, document.ArrayType):
            inner = fitting(kind.items, nsid)
            for value in (7, None, [inner], {}, ""):
                yield with_field(base, name, [inner, value])
            if isinstance(inner, dict):
                for key in inner:
                    for value in (ABSENT, None, 7, "", [], {}):
                        yield with_field(base, name, [with_field(inner, key, value)])


def with_field(base: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    if value is ABSENT:
        return {key: kept for key, kept in base.items() if key != name}
    return {**base, name: value}


def is_refused_input(nsid: str, text: bytes) -> bool:
    """True if the Lexicon refuses the input. A required field that is left out takes its default."""
    definition = CATALOG.find_method(nsid)
    assert isinstance(definition, document.ProcedureType)
    schema = definition.input.schema if definition.input else None
    try:
        value = json_form.decode(text)
        if isinstance(value, dict) and isinstance(schema, document.ObjectType):
            defaults = {name: getattr(schema.properties[name], "default", None) for name in schema.required}
            value = {name: default for name, default in defaults.items() if default is not None} | value
        validate_input(CATALOG, nsid, value)
    except Malformed:
        return True
    return False


def hurt_queries(params: document.ParamsType) -> Iterator[str]:
    base = {name: fitting(kind, "") for name, kind in params.properties.items() if name in params.required}
    for name, kind in params.properties.items():
        others = {key: value for key, value in base.items() if key != name}
        yield urlencode(others, doseq=True)
        for text in _WRONG_TEXTS:
            yield urlencode({**others, name: text}, doseq=True)
        if not isinstance(kind, document.ArrayType):
            yield urlencode({**others, name: [base.get(name, "x")] * 2}, doseq=True)


def is_refused_query(nsid: str, query: str) -> bool:
    try:
        decode_parameters(CATALOG, nsid, query)
    except Malformed:
        return True
    return False


async def rows(deployment: Deployment) -> dict[str, int]:
    """The number of rows in each table."""
    async with deployment.db.reader() as reader:
        names = await reader.fetch("select name from sqlite_master where type = 'table' order by name")
    return {row["name"]: await deployment.count(row["name"]) for row in names}


async def test_input_refused_by_a_lexicon_changes_nothing(deployment: Deployment) -> None:
    ada = await deployment.sign_up("ada")
    asked: list[tuple[str, Method, bytes | None, str]] = []
    for nsid, method in sorted(table(deployment.pds.registry).methods.items()):
        definition = CATALOG.find_method(nsid)
        if isinstance(definition, document.QueryType) and definition.parameters is not None:
            queries = {query for query in hurt_queries(definition.parameters) if is_refused_query(nsid, query)}
            asked += [(nsid, method, None, query) for query in sorted(queries)]
        elif isinstance(definition, document.ProcedureType) and not method.raw_body:
            body = definition.input
            schema = None if body is None else body.schema
            if isinstance(schema, document.RefType):
                schema = CATALOG.definition(full_reference(schema.ref, nsid))  # type: ignore[assignment]
            texts = (
                [b"{}", b"x"] if schema is None else [json.dumps(value).encode() for value in hurt_inputs(schema, nsid)]
            )
            hurt = texts if schema is None else [text for text in texts if is_refused_input(nsid, text)]
            asked += [(nsid, method, text, "") for text in dict.fromkeys(hurt)]
    assert len({nsid for nsid, *_ in asked}) > 60
    before = await rows(deployment)
    wrong: list[str] = []
    for start in range(0, len(asked), AT_ONCE):
        together = asked[start : start + AT_ONCE]
        answers = await asyncio.gather(*(send(deployment, ada, *one) for one in together))
        for (nsid, _, body, query), answer in zip(together, answers, strict=True):
            if complaint := complaint_about(answer, f"{body!r}{query}"):
                wrong.append(
                    f"{complaint}: {nsid} {(body or query.encode())[:200]!r} -> {answer.status_code} {answer.text[:200]}"
                )
    assert not wrong, f"{len(wrong)} of {len(asked)}\n" + "\n".join(wrong[:40])
    assert await rows(deployment) == before


async def send(
    deployment: Deployment, ada: Person, nsid: str, method: Method, body: bytes | None, query: str
) -> httpx.Response:
    headers = dict(ada.headers)
    if method.need is AccessLevel.ARRIVAL:
        headers = {}  # with a session's token, these requests would be refused earlier
    elif method.need not in _OF_ACCOUNTS:
        headers = dict(deployment.administration.headers)
    elif method.need is AccessLevel.REFRESH:
        headers = {"authorization": f"Bearer {ada.refresh_token}"}
    if body is None:
        return await deployment.http.get(f"/xrpc/{nsid}?{query}", headers=headers)
    return await deployment.http.post(
        f"/xrpc/{nsid}", content=body, headers={**headers, "content-type": "application/json"}
    )


def complaint_about(answer: httpx.Response, asked: str) -> str:
    """What is wrong with a refusal; empty if nothing is."""
    if answer.status_code != 400:
        return "not refused as invalid"
    said = answer.json()
    if said.get("error") != "InvalidRequest" or said.keys() != {"error", "message"} or " " not in said["message"]:
        return "not the error for it"
    return "says " + ", ".join(found) if (found := internals_in(answer.content, asked)) else ""
