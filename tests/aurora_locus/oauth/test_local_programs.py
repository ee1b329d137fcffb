"""Programs on the person's own computer, on the consent page and in the list of apps."""

import re

from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import App, localhost_id
from tests.aurora_locus.oauth.consent_pages import ada, approve_scopes, open_consent_page, sign_in_on_page
from tests.aurora_locus.visitor import Visitor

__all__ = ["ada"]


async def test_programs_on_the_own_computer_are_told_apart_by_their_addresses(
    deployment: Deployment, ada: Visitor
) -> None:
    """Two of them that have access have different names on the consent pages and in the list of apps."""
    for port in (8001, 8002):
        redirect = f"http://127.0.0.1:{port}/callback"
        program = App(deployment, client_id=localhost_id(redirect=redirect), redirect=redirect)
        page = await open_consent_page(ada, program)
        page = await sign_in_on_page(ada, page) if port == 8001 else page
        assert f"its address, <strong>127.0.0.1:{port}</strong>" in page.text
        told = await approve_scopes(ada, page, program)
        await program.spend(told["code"])
    listed = (await ada.get("/account/apps")).text
    assert sorted(re.findall(r"<h2>(.*?)</h2>", listed)) == ["Program at 127.0.0.1:8001", "Program at 127.0.0.1:8002"]
