"""The operators' pages of a site on which reading from the network fails, so that each of them has content."""

from groundwork.clock import Clock
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.feature_flags.flags import Flag
from tests.browser.browsers import Deployment
from tests.databases import MakeDatabase
from tests.openmeet.i18n.failing_network import fail_everywhere
from tests.openmeet.site_under_test import change_services, person

# The setting that makes the examples' person an operator.
OPERATORS = ("ana@example.org",)


async def add_operator_examples(
    openmeet: Deployment, make_sqlite: MakeDatabase, clock: Clock
) -> tuple[str, dict[str, str]]:
    """Returns the operator's session token, and the paths of the pages. The site has the operators ``OPERATORS``."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    dependencies, letters = await fail_everywhere(openmeet.db, make_sqlite, clock)
    change_services(openmeet.app, sync_dependencies=dependencies)
    return token, {
        "operating": "/operating",
        "dead letters": "/operating/dead-letters",
        **{f"dead letter {number}": f"/operating/dead-letters/{letter}" for number, letter in enumerate(letters)},
        "records put aside": "/operating/put-aside",
        "flags": "/operating/flags",
        "a flag": f"/operating/flags/{Flag.GROUPS.value}",
    }
