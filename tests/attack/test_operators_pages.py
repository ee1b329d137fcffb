"""Hostile input through the operators' pages from an operator's own browser gets a normal response, and nothing is
executed.
"""

from collections.abc import Mapping

import pytest

from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.moderation.decisions import write_note
from tests.aurora_locus.visitor import token_in
from tests.aurora_locus.web.administration_pages.operator_browser import signed_in_operator

TEXTS = {
    "NUL": "\x00",
    "markup": '"><script>alert(1)</script>',
    "long": "x" * 50_000,
    "deep": "[" * 5000,
    "number": "-1e309",
    "digits": "9" * 40,
    "digits of another script": "١٢",
    "right to left": "\u202e",
    "lines": "a\r\nset-cookie: x=y",
    "a stranger": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
    "a path": "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/a.b.c/..",
}
PARAMETERS = {
    "": (),
    "/accounts": ("q", "status", "after"),
    "/reports": ("state", "before"),
    "/content": ("uri", "did", "cid", "report"),
    "/invites": ("sort", "after"),
    "/audit": ("subject", "actor", "action", "before"),
    "/accounts/{did}": ("report",),
    "/accounts/{did}/take-down": ("report",),
}
RIGHT = {
    "reason": "because",
    "decision": "take-down",
    "sure": "yes",
    "value": "spam",
    "amount": "1",
    "uses": "1",
    "name": "mo",
    "role": "moderator",
    "password": "a long password",
    "days": "1",
    "email": "new@example.org",
    "new_handle": "new.test",
    "quota": "1 GB",
    "subject": "A subject",
    "content": "Some words",
}
FIELDS = {
    "/content/decide": ("uri", "did", "cid", "report", "reason", "reference", "decision", "sure"),
    "/content/label": ("uri", "did", "value", "label_days", "reason", "negate", "report"),
    "/invites/create": ("amount", "uses", "reason"),
    "/invites/disable": ("code", "reason"),
    "/operators/add": ("name", "role", "password", "did", "reason"),
    "/operators/change": ("operator", "role", "new_password", "disabled", "reason"),
    "/storage/sweep": ("reason",),
    "/accounts/{did}/suspend": ("days", "reason", "report", "sure"),
    "/accounts/{did}/write": ("subject", "content", "reason"),
    "/accounts/{did}/change-email": ("email", "reason", "sure"),
    "/accounts/{did}/change-handle": ("new_handle", "reason", "sure"),
    "/accounts/{did}/set-quota": ("quota", "reason"),
}


@pytest.fixture
async def deployment(make_sqlite, clock, tmp_path):
    plc = await make_sqlite("plc_directory")
    async with open_deployment(f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_hostile_parameters_and_fields_cause_no_failure(deployment: Deployment, text: str) -> None:
    """Every parameter and field is attacked, one wrong value at a time among valid ones, so that the code that reads it
    is reached.
    """
    ana = await deployment.sign_up("ana")
    right = {**RIGHT, "uri": (await write_note(ana))["uri"]}
    async with signed_in_operator(deployment) as operator:
        for page, parameters in PARAMETERS.items():
            for name in parameters:
                more = {"did": str(ana.did)} if name == "cid" else {}
                is_unharmed(await operator.get(f"/admin{page.format(did=ana.did)}", **{**more, name: text}), name)
        token = token_in(await operator.get("/admin/invites"))
        for page, fields in FIELDS.items():
            for name in fields:
                form = form_with(name, text, {field: right[field] for field in fields if field in right}, str(ana.did))
                is_unharmed(
                    await operator.post(f"/admin{page.format(did=ana.did)}", {"csrf": token, **form}), f"{page} {name}"
                )


def form_with(name: str, text: str, right: Mapping[str, str], did: str) -> dict[str, str]:
    """The form with one wrong field. A wrong DID or CID is sent without the record's URI, so that it is read."""
    form = dict(right)
    if name in ("did", "cid"):
        form.pop("uri", None)
        form["did"] = did
    return {**form, name: text}


def is_unharmed(answer, where: str) -> None:
    assert answer.status_code < 500, (where, answer.text[:300])
    assert "<script>alert" not in answer.text
    assert "x" not in answer.cookies
