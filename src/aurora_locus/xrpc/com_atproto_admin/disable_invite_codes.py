"""Codes, or all codes of accounts, that can be used no more."""

from aurora_locus.accounts import invites
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.errors import InvalidInput


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises InvalidInput for the administration's own codes all at once: that is never what was meant."""
    codes, accounts = call.body.get("codes", []), call.body.get("accounts", [])
    if "admin" in accounts:
        raise InvalidInput("accounts", "Not all codes of the administration at once; name the codes.")
    # PostgreSQL cannot even be asked for a NUL, and nothing is called so.
    codes, accounts = ([name for name in names if name.isprintable()] for names in (codes, accounts))
    await registry.db.write(lambda w: invites.disable(w, codes, accounts))
    return None
