"""What happens to people's accounts in a random network: sessions end, names change, repositories move, go back, and begin anew."""

from dataclasses import dataclass

from tests.simulation.simulation_home import HANDLE_DOMAIN
from tests.simulation.simulation_memory import Sort
from tests.simulation.simulation_stage import Stage


@dataclass
class Accounts(Stage):
    """Acts of people on their own accounts, of which OpenMeet hears by the stream alone."""

    async def sign_out_everywhere(self) -> None:
        """OpenMeet's session ends with the others; they come back to it later, or when they are asked to."""
        person, application = self.somebody_with_application()
        self.note(f"{person.name} signs out everywhere")
        await application.sign_out_everywhere()

    async def come_back(self) -> None:
        """Somebody signs in again, needed or not."""
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

    async def move_house(self) -> None:
        """An account moves to the other PDS, once."""
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
        """Somebody downloads their repository."""
        person, application = self.somebody_with_application()
        self.note(f"{person.name} keeps a copy")
        await application.keep_copy()

    async def turn_back(self) -> None:
        """Somebody brings an older copy in: their repository is what it was then, under a new commit."""
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
        """The account of somebody who never came here is deleted, with everything in it."""
        person = self.anybody(Sort.STRANGER)
        application = person.application
        assert application is not None
        if application.is_gone:
            return
        self.note(f"the account of {person.name} is deleted")
        before = await application.held()
        # What was announced about it is forgotten there.
        await self.deployment.frames()
        self.begun_anew.add(application.did)
        await application.end()
        application.copies.clear()
        self.memory.turn_back(person.name, before, before.emptied())

    async def begin_anew(self) -> None:
        """Somebody whose account was deleted has one again with the same DID; nothing of the old one is in it."""
        person = self.anybody(Sort.STRANGER)
        application = person.application
        assert application is not None
        if not application.is_gone:
            return
        person.handle = f"{person.name}{self.number}{HANDLE_DOMAIN}"
        self.note(f"{person.name} begins anew at {application.home.proxy.url}")
        email = f"{person.name}@example.net"
        await application.begin_anew(person.handle, email, self.deployment.network, self.deployment.directory)
