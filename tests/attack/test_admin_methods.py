"""Every method for operators refuses all other callers."""

import base64
from typing import Final

from at_protocol.lexicon import document
from aurora_locus.xrpc.table import table
from tests.aurora_locus.conftest import deployment, make_deployment, pds_url
from tests.aurora_locus.deployment import ADMIN_PASSWORD, CATALOG, SERVER, Deployment

__all__ = ["deployment", "make_deployment", "pds_url"]


_ALSO: Final = frozenset({"com.atproto.server.createInviteCode", "com.atproto.server.createInviteCodes"})


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


async def test_operator_methods_refuse_everybody_else(deployment: Deployment) -> None:
    ada = await deployment.sign_up("ada")
    password = (await ada.post(f"{SERVER}.createAppPassword", {"name": "phone"})).json()["password"]
    app = deployment.person(await deployment.sign_in(ada.did, password))
    service = await ada.get(f"{SERVER}.getServiceAuth", aud="did:web:example.org")
    callers = {
        "nobody": {},
        "a wrong password": basic("admin", ADMIN_PASSWORD + "x"),
        "no password": basic("admin", ""),
        "another name": basic("root", ADMIN_PASSWORD),
        "a person’s password": basic("ada.test", "password of ada"),
        "the password as a token": {"authorization": f"Bearer {ADMIN_PASSWORD}"},
        "a person": ada.headers,
        "an app": app.headers,
        "a refresh token": {"authorization": f"Bearer {ada.refresh_token}"},
        "a service token": {"authorization": f"Bearer {service.json()['token']}"},
    }
    methods = [
        nsid
        for nsid in sorted(table(deployment.pds.registry).methods)
        if nsid.startswith("com.atproto.admin.") or nsid in _ALSO
    ]
    assert len(methods) > 10
    let_in = []
    for nsid in methods:
        is_query = isinstance(CATALOG.find_method(nsid), document.QueryType)
        for who, headers in callers.items():
            if is_query:
                answer = await deployment.http.get(
                    f"/xrpc/{nsid}", params={"did": ada.did, "dids": ada.did}, headers=headers
                )
            else:
                answer = await deployment.http.post(f"/xrpc/{nsid}", json={"did": ada.did}, headers=headers)
            if answer.status_code not in {401, 403} and answer.json()["error"] not in {"InvalidToken", "BadJwt"}:
                let_in.append((nsid, who, answer.status_code, answer.text[:80]))
    assert let_in == []
