"""Every XRPC method, called with values that nearly fit its Lexicon, returns a result or one of the protocol's errors,
never 500.
"""

from typing import Any

from at_protocol.lexicon import document
from aurora_locus.xrpc.table import table
from tests.attack.garbage import BODIES, SEED, Garbage, internals_in
from tests.aurora_locus.conftest import deployment, make_deployment, pds_url
from tests.aurora_locus.deployment import ADMIN_PASSWORD, CATALOG, Deployment, Person

__all__ = ["deployment", "make_deployment", "pds_url"]

ROUNDS = 15

_NOTE = "org.example.note"
_TYPES = ("application/json", "text/plain", "application/json; charset=utf-16", "", "multipart/form-data", "*/*")


async def _known(deployment: Deployment, ada: Person, ben: Person) -> dict[str, list[str]]:
    """Existing things, by the parameter names with which methods refer to them."""
    written = await ada.post(
        "com.atproto.repo.createRecord",
        {"repo": ada.did, "collection": _NOTE, "rkey": "one", "record": {"$type": _NOTE, "text": "hello"}},
    )
    uri, cid = written.json()["uri"], written.json()["cid"]
    commit = written.json()["commit"]
    return {
        "repo": [ada.did, "ada.test", ben.did],
        "did": [ada.did, ben.did],
        "handle": ["ada.test", "new.test", "Ada.Test"],
        "identifier": ["ada.test", "ada@example.org", ada.did],
        "password": ["password of ada", ADMIN_PASSWORD],
        "collection": [_NOTE, "community.lexicon.calendar.event"],
        "rkey": ["one", "self", "two"],
        "cid": [cid, commit["cid"]],
        "cids": [cid, commit["cid"]],
        "swapCommit": [commit["cid"]],
        "swapRecord": [cid],
        "since": [commit["rev"]],
        "uri": [uri],
        "email": ["ada@example.org", "new@example.org"],
    }


async def _ask(deployment: Deployment, garbage: Garbage, nsid: str, callers: list[dict[str, str]]) -> tuple[str, Any]:
    method = CATALOG.find_method(nsid)
    headers = dict(garbage.dice.choice(callers))
    if isinstance(method, document.QueryType):
        parameters = garbage.near(method.parameters) if method.parameters else {}
        asked = dict(parameters) if isinstance(parameters, dict) else {"q": "x"}
        answer = await deployment.http.get(f"/xrpc/{nsid}", params=asked, headers=headers)
        return f"GET {nsid} {asked!r}", answer
    assert isinstance(method, document.ProcedureType)
    schema = method.input.schema if method.input else None
    body = garbage.encoded(garbage.near(schema)) if schema else garbage.dice.choice(BODIES)
    headers["content-type"] = garbage.dice.choice(_TYPES) if garbage.is_hurt(0.1) else _TYPES[0]
    answer = await deployment.http.post(f"/xrpc/{nsid}", content=body, headers=headers)
    return f"POST {nsid} {body[:2000]!r}", answer


async def test_no_method_fails_with_a_server_error(deployment: Deployment) -> None:
    print(f"seed {SEED}")
    ada, ben = await deployment.sign_up("ada"), await deployment.sign_up("ben")
    known = await _known(deployment, ada, ben)
    callers = [
        ada.headers,
        ada.headers,
        ada.headers,
        ben.headers,
        {},
        deployment.administration.headers,
        {"authorization": f"Bearer {ada.refresh_token}"},
        {"authorization": "Bearer x.y.z"},
    ]
    wrong = []
    for number, nsid in enumerate(sorted(table(deployment.pds.registry).methods)):
        garbage = Garbage(SEED + number, known)
        for _ in range(ROUNDS):
            asked, answer = await _ask(deployment, garbage, nsid, callers)
            if complaint := _complaint(answer, asked):
                wrong.append(f"{complaint}: {asked[:500]} -> {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)


def _complaint(answer: Any, asked: str) -> str:
    """What is wrong with a response; empty if nothing is."""
    if answer.status_code < 400:
        return ""
    try:
        said = answer.json()
    except ValueError:
        return "not JSON"
    # Methods that call another server report correctly that it does not respond. All others must succeed or refuse.
    if answer.status_code >= 500 and said.get("error") not in {"UpstreamFailure", "UpstreamTimeout"}:
        return "broken"
    if said.keys() != {"error", "message"} or not said["error"].isidentifier():
        return "not the shape of an error"
    if " " not in said["message"]:
        return "no sentence"
    return "says " + ", ".join(found) if (found := internals_in(answer.content, asked)) else ""
