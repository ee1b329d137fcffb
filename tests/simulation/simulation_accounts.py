"""Changes to people's accounts in a random network: sessions end, names change, repositories move, are restored from a
copy, and are recreated; accounts on OpenMeet are joined and erased.
"""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.sign_in import sign_in_with_password
from tests.simulation.simulation_home import HANDLE_DOMAIN
from tests.simulation.simulation_memory import Sort
from tests.simulation.simulation_people import PASSWORD
from tests.simulation.simulation_stage import SILENT, Stage


@dataclass
class Accounts(Stage):
    """Actions of people on their own accounts. OpenMeet learns of most of them only from the stream."""

    async def sign_out_everywhere(self) -> None:
        """End all sessions of a person, including OpenMeet's. They sign in again later or when they are prompted."""
        person, application = self.somebody_with_application()
        self.note(f"{person.name} signs out everywhere")
        await application.sign_out_everywhere()

    async def come_back(self) -> None:
        """A person signs in again, whether or not that is needed."""
        person = self.anybody(Sort.CONNECTED)
        assert person.application is not None
        if person.application.home.is_away or person.application.home.is_busy:
            return
        self.note(f"{person.name} signs in again")
        await self.sign_in(person)

    async def change_handle(self) -> None:
        person, application = self.somebody_with_application()
        person.handle = f"{person.name}{self.number}{HANDLE_DOMAIN}"
        self.note(f"{person.name} is called {person.handle} now")
        await application.rename(person.handle)

    async def move_account(self) -> None:
        """Move an account to the other PDS. Happens at most once per account."""
        person, application = self.somebody_with_application()
        if person.has_moved:
            return
        person.has_moved = True
        to = next(home for home in self.deployment.homes if home is not application.home)
        self.note(f"{person.name} moves to {to.proxy.url}")
        await self.deployment.note_unseen(application.home, application.did)
        folder = to.folder / f"arriving-{person.name}"
        await application.move(
            to, person.handle, f"{person.name}@example.net", folder, self.deployment.network, self.deployment.directory
        )

    async def keep_copy(self) -> None:
        """A person downloads their repository."""
        person, application = self.somebody_with_application()
        self.note(f"{person.name} keeps a copy")
        await application.keep_copy()

    async def turn_back(self) -> None:
        """A person imports an older copy, so that their repository has its former content under a new commit."""
        person, application = self.somebody_with_application()
        if not application.copies:
            return
        self.note(f"{person.name} turns back to an older copy")
        before = await application.held()
        await application.turn_back(self.chance.choice(application.copies))
        after = await application.held()
        person.has_turned_back = True
        self.memory.turn_back(person.name, before, after)

    async def end_account(self) -> None:
        """Delete the account, with all its data, of a person who never used OpenMeet."""
        person = self.anybody(Sort.STRANGER)
        application = person.application
        assert application is not None
        if application.is_gone:
            return
        self.note(f"the account of {person.name} is deleted")
        before = await application.held()
        # The server deletes its announcements about the account.
        await self.deployment.frames()
        self.recreated.add(application.did)
        await application.end()
        application.copies.clear()
        self.memory.turn_back(person.name, before, before.emptied())

    async def recreate_account(self) -> None:
        """A person whose account was deleted creates a new one with the same DID, without any of the old data."""
        person = self.anybody(Sort.STRANGER)
        application = person.application
        assert application is not None
        if not application.is_gone:
            return
        person.handle = f"{person.name}{self.number}{HANDLE_DOMAIN}"
        self.note(f"{person.name} begins anew at {application.home.proxy.url}")
        email = f"{person.name}@example.net"
        await application.recreate_account(person.handle, email, self.deployment.network, self.deployment.directory)

    async def join_accounts(self) -> None:
        """Somebody who signed up by e-mail connects an account that they have on a PDS, about which OpenMeet knows
        answers and events already. At most one person does.
        """
        person, other = self.anybody(Sort.EMAIL), self.anybody(Sort.STRANGER)
        caller, application = person.caller, other.application
        assert application is not None
        home = application.home
        is_possible = not (application.is_gone or home.is_away or home.is_busy or self.memory.joined)
        if caller is None or person.name == SILENT or not is_possible:
            return
        self.note(f"{person.name} connects the account of {other.name}")

        async def arrive(tx: Transaction, did: Did, handle: str, pds_url: str) -> UserId:
            joining = await account_merge.sign_in_with_did(
                tx, did, handle=handle, pds_url=pds_url, caller=caller.user_id
            )
            if joining.proposal is not None:
                await account_merge.confirm(tx, caller.user_id, joining.proposal)
            return caller.user_id

        async with self.deployment.db.reader() as reader:
            known = await reader.fetch_one("select user_id from identities where did = :did", did=application.did)
        try:
            await sign_in_with_password(
                self.deployment.db, self.deployment.network, identifier=other.handle, password=PASSWORD, arrive=arrive
            )
        except Refused as refused:
            self.note(f"refused: {refused.why}")
            return
        other.sort, other.caller, other.consents = Sort.CONNECTED, caller, person.consents
        self.memory.join(other.name, person.name)
        if known is not None:
            self.memory.rename_user(known["user_id"], caller.user_id)

    async def erase_person(self) -> None:
        """Somebody who signed up by e-mail deletes their account on OpenMeet, without a grace period. Their repository,
        if they have one, is deleted as well.
        """
        person = self.anybody(Sort.EMAIL)
        caller = person.caller
        is_left = sum(one.caller is not None for one in self.people.values() if one.sort is Sort.EMAIL) > 1
        if caller is None or not is_left or person.name in {SILENT, *self.memory.joined.values()}:
            return
        self.note(f"{person.name} deletes their account on OpenMeet")
        async with self.deployment.db.reader() as reader:
            rows = await reader.fetch("select did from identities where user_id = :id", id=caller.user_id)
        self.recreated |= {row["did"] for row in rows}
        person.caller = None
        self.memory.erased[person.name] = caller.user_id
        await self.deployment.begin_erasure(caller.user_id)
