"""A new handle is stored in the directory, in our database and on the firehose, or in none of them."""

from dataclasses import replace

import httpx
import pytest

from at_protocol.syntax.handle import Handle, parse_handle
from aurora_locus.accounts import creation, queries
from aurora_locus.accounts.account_requests import AccountRequest
from aurora_locus.accounts.queries import free_handle
from aurora_locus.identity import plc_updates
from groundwork.clock import DAY, SECOND
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person, statuses, together


async def rename(person: Person, handle: str) -> httpx.Response:
    return await person.post(f"{IDENTITY}.updateHandle", {"handle": handle})


async def directory_says(deployment: Deployment, person: Person) -> list[str]:
    return list((await deployment.directory.log(person.did))[-1]["alsoKnownAs"])


async def resolve(deployment: Deployment, handle: str) -> httpx.Response:
    return await deployment.stranger.get(f"{IDENTITY}.resolveHandle", handle=handle)


async def test_new_handle_is_published_everywhere(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    answer = await rename(ana, "Anabel.Test")
    assert answer.status_code == 200
    assert await directory_says(deployment, ana) == ["at://anabel.test"]
    assert (await deployment.announced(ana.did))[-1] == "identity anabel.test"
    assert (await resolve(deployment, "anabel.test")).json() == {"did": ana.did}
    assert (await resolve(deployment, "ana.test")).json()["error"] == "HandleNotFound"
    assert (await ana.get(f"{SERVER}.getSession")).json()["handle"] == "anabel.test"
    assert await deployment.operation_states() == ["sent", "sent"]


async def test_same_handle_is_only_announced(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert (await rename(ana, "ana.test")).status_code == 200
    assert len(await deployment.directory.log(ana.did)) == 1
    assert (await deployment.announced(ana.did))[-1] == "identity ana.test"


async def test_old_handle_is_reserved_for_its_previous_owner(deployment: Deployment) -> None:
    """An old handle is reserved for its previous owner, who may come back, so nobody is impersonated on the day they
    leave it.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    await rename(ana, "anabel.test")
    assert (await rename(ben, "ana.test")).json()["error"] == "HandleNotAvailable"
    assert (await deployment.ask_to_sign_up("ana", email="other@example.org")).json()["error"] == "HandleNotAvailable"
    assert (await rename(ana, "ana.test")).status_code == 200
    await rename(ana, "anabel.test")
    deployment.clock.turn(31 * DAY)
    again = deployment.person(await deployment.sign_in("ben.test", "password of ben"))
    assert (await rename(again, "ana.test")).status_code == 200


async def test_concurrent_changes_to_a_handle_succeed_once(deployment: Deployment) -> None:
    """One of several concurrent requests for a handle gets it. For the others the directory has the old handle again."""
    people = [await deployment.sign_up(name) for name in ("ana", "ben", "cleo")]
    answers = await together(*(rename(person, "beloved.test") for person in people))
    assert statuses(answers) == [200, 400, 400]
    for person, answer, name in zip(people, answers, ("ana", "ben", "cleo"), strict=True):
        expected = "beloved" if answer.status_code == 200 else name
        assert await directory_says(deployment, person) == [f"at://{expected}.test"]


async def test_concurrent_changes_by_one_account_end_consistently(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await together(rename(ana, "one.test"), rename(ana, "two.test"))
    handle = (await ana.get(f"{SERVER}.getSession")).json()["handle"]
    assert await directory_says(deployment, ana) == [f"at://{handle}"]


async def test_directory_that_is_down_changes_nothing(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    deployment.directory.is_down = True
    answer = await rename(ana, "anabel.test")
    assert (answer.status_code, answer.json()["error"]) == (502, "UpstreamFailure")
    assert (await resolve(deployment, "ana.test")).json() == {"did": ana.did}


async def test_crash_between_directory_and_database_is_repaired(deployment: Deployment) -> None:
    """After a crash between directory and database, the handle in our database is valid, and the directory is
    corrected.
    """
    ana = await deployment.sign_up("ana")
    registry = deployment.pds.registry
    operation = await plc_updates.new_handle(
        registry.directory, registry.rotation_key, ana.did, parse_handle("anabel.test")
    )
    assert operation is not None
    await plc_updates.intend(registry.db, ana.did, operation)
    await registry.directory.submit(ana.did, operation)
    told = len(await deployment.announced(ana.did))
    assert await plc_updates.repair(registry.plc, await plc_updates.unfinished(registry.db, patience=0)) == 0
    assert await directory_says(deployment, ana) == ["at://ana.test"]
    # Others may have read the document with the other handle.
    assert (await deployment.announced(ana.did))[told:] == ["identity ana.test"]
    assert await deployment.operation_states() == ["abandoned", "sent"]


@pytest.mark.parametrize(
    ("handle", "error"),
    [("ab.test", "InvalidHandle"), ("admin.test", "HandleNotAvailable"), ("ana.local", "InvalidHandle")],
)
async def test_policy_holds_for_changes_too(deployment: Deployment, handle: str, error: str) -> None:
    ana = await deployment.sign_up("ana")
    answer = await rename(ana, handle)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert deployment.directory.submitted == 1


@pytest.mark.parametrize("handle", ["nobody.test", "ana.invalid"])
async def test_unknown_handle_does_not_resolve(deployment: Deployment, handle: str) -> None:
    answer = await resolve(deployment, handle)
    assert (answer.status_code, answer.json()["error"]) == (400, "HandleNotFound")


async def test_handle_resolves_in_any_case(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert (await resolve(deployment, "ANA.test")).json() == {"did": ana.did}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_released_handle_is_free_at_once_where_the_operator_says_so(make_deployment: MakeDeployment) -> None:
    """With PDS_HANDLE_QUARANTINE=0 a released handle is free at once, as at the reference."""
    deployment = await make_deployment(handle_quarantine=0.0)
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    assert (await rename(ana, "anna.test")).status_code == 200
    assert (await rename(ben, "ana.test")).status_code == 200


async def test_only_the_latest_handles_are_reserved(deployment: Deployment) -> None:
    """An account cannot occupy any number of names by taking one after the other."""
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    names = [f"name-{number}.test" for number in range(queries.MAX_RESERVED + 1)]
    for name in names:
        deployment.clock.turn(SECOND)
        assert (await rename(ana, name)).status_code == 200
    assert (await rename(ben, names[0])).json()["error"] == "HandleNotAvailable"
    assert (await rename(ben, "ana.test")).status_code == 200


async def test_handles_of_an_unconfirmed_account_are_not_reserved(deployment: Deployment) -> None:
    registry = replace(deployment.pds.registry, confirms_email=True)
    wish = AccountRequest(handle="ana.test", email="ana@example.org", password="password of ana")
    made = await creation.create(registry, wish)
    ana = deployment.stranger.bearing(made.tokens.access)
    assert (await rename(ana, "anna.test")).status_code == 200
    ben = await deployment.sign_up("ben")
    assert (await rename(ben, "ana.test")).status_code == 200


async def test_the_operator_releases_a_handle(deployment: Deployment) -> None:
    """The operator can release a reserved handle once. A handle that is not reserved cannot be released, so nobody
    loses a handle in use.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    assert (await rename(ana, "anna.test")).status_code == 200
    assert (await rename(ben, "ana.test")).json()["error"] == "HandleNotAvailable"
    freed = [await deployment.db.write(lambda w, name=name: free_handle(w, Handle(name))) for name in ("ana.test",) * 2]
    assert freed == [ana.did, None]
    assert not await deployment.db.write(lambda w: free_handle(w, Handle("anna.test")))
    assert (await rename(ben, "ana.test")).status_code == 200
