"""Set up, check and repair the Matrix bridge (``openmeet matrix …``)."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import typer

from groundwork.clock import SystemClock
from groundwork.errors import Refused, RemoteFailed
from openmeet.domain.chat import mirroring
from openmeet.i18n.reasons.messages import explain
from openmeet.matrix import adoption
from openmeet.matrix.adoption import AdoptionReport
from openmeet.matrix.calls import open_client
from openmeet.matrix.registration import find_problem, open_homeserver, write_registration
from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import print_json, say
from programs.matrix_bridge import open_bridge
from programs.platform import Platform, run_on_platform
from programs.platform_settings import community_named, read_installation_settings
from programs.running import VERSION, run_command

_MAX_ROOMS = 1000
_WRONG_TOKEN = frozenset({401, 403})
_IS_OFF = "The Matrix bridge is off: OPENMEET_MATRIX_URL is not set."


def write_files(out: Path, settings_file: Path | None, *, renew: bool) -> None:
    """Write the file that the homeserver needs and the file with our token. Only you can read them."""
    settings = community_named(read_installation_settings(settings_file, sends_mail=False), DEFAULT_TENANT)
    if not settings.matrix_server_name:
        raise Refused("Set OPENMEET_MATRIX_URL and OPENMEET_MATRIX_SERVER_NAME first.")
    write_registration(out, settings.matrix_token_file, settings.matrix_server_name, renew=renew)
    say(
        f"Written: {out} (for the homeserver) and {settings.matrix_token_file} (for us).\n"
        "Add these lines to homeserver.yaml, let the homeserver read the file, and restart it:\n\n"
        f"app_service_config_files:\n  - {out.absolute()}"
    )


def check(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Check whether the bridge works, and if not, say why."""
    settings = community_named(read_installation_settings(settings_file, sends_mail=False), tenant)

    async def act() -> None:
        http = open_client(f"openmeet/{VERSION}")
        try:
            url, name = settings.matrix_url, settings.matrix_server_name
            homeserver = open_homeserver(http, SystemClock(), url, name, settings.matrix_token_file)
            problem = await find_problem(homeserver, tenant, url)
        finally:
            await http.close()
        if as_json:
            print_json({"works": problem is None, "problem": problem})
        elif problem is None:
            say(f"The bridge to {name} works.")
        if problem is not None and not as_json:
            raise Refused(problem)
        if problem is not None:
            raise typer.Exit(1)

    run_command(act)


def show_rooms(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """List mirrored rooms, those with problems first, with what waits for the homeserver and the last error."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            mirrored_room_overviews = await mirroring.overview(reader, _MAX_ROOMS)
        if as_json:
            print_json(mirrored_room_overviews)
            return
        for one in mirrored_room_overviews:
            error = f"  {explain(one.status.error)}" if one.status.error else ""
            say(f"{one.room_id}  {one.status.state.value}  {one.status.waiting} waiting  {one.name}{error}")
        if not mirrored_room_overviews:
            say("No room is mirrored.")

    run_on_platform(settings_file, tenant, show)


def reconcile(tenant: str, settings_file: Path | None) -> None:
    """Compare every mirrored room with the homeserver now: members, power levels, name, and messages that were not
    passed on.
    """

    async def act(platform: Platform) -> None:
        if not platform.settings.matrix_url:
            raise Refused(_IS_OFF)
        async with platform.db.transaction() as tx:
            mirrored_rooms = await mirroring.overview(tx, _MAX_ROOMS)
            await mirroring.wake_all(tx)
        if not mirrored_rooms:
            say("No room is mirrored.")
        else:
            number = "1 room" if len(mirrored_rooms) == 1 else f"{len(mirrored_rooms)} rooms"
            more = " and more" if len(mirrored_rooms) == _MAX_ROOMS else ""
            say(
                f"The publisher compares {number}{more} with the homeserver. `openmeet matrix rooms` shows what "
                "is still waiting."
            )

    run_on_platform(settings_file, tenant, act)


def adopt(bot: str, bot_token: Path, tenant: str, settings_file: Path | None, *, applies: bool, as_json: bool) -> None:
    """Take over the rooms of an older installation whose data was imported. Without --apply, show what would happen to
    each room.
    """

    async def act(platform: Platform) -> None:
        async with open_bridge(platform) as bridge:
            if bridge is None:
                raise Refused(_IS_OFF)
            name = bot.removeprefix("@").removesuffix(f":{bridge.homeserver.server_name}")
            if bot != f"@{name}:{bridge.homeserver.server_name}":
                raise Refused(
                    f"--bot is a user of {bridge.homeserver.server_name}, like @bot:{bridge.homeserver.server_name}."
                )
            http = open_client(f"openmeet/{VERSION}")
            try:
                settings = platform.settings
                older = open_homeserver(
                    http, platform.clock, settings.matrix_url, settings.matrix_server_name, bot_token
                )
                old = older.user(name)
                # Each of our calls names a device.
                try:
                    await old.prepare()
                except RemoteFailed as failed:
                    if failed.status not in _WRONG_TOKEN and failed.name != "M_EXCLUSIVE":
                        raise
                    raise Refused(
                        f"The homeserver does not allow us to act as {bot}: --bot-token is not the as_token of a "
                        "registration that has this user."
                    ) from failed
                reports = await adoption.adopt(bridge, old, applies=applies, tell=_tell(as_json))
            finally:
                await http.close()
        if as_json:
            print_json(reports)
            return
        counts = Counter(one.outcome.value for one in reports)
        say(
            ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
            or "The import left no rooms to take over."
        )
        if reports and not applies:
            say("Nothing was changed. Run the command with --apply to take the rooms over.")

    run_on_platform(settings_file, tenant, act)


def _tell(as_json: bool) -> Callable[[AdoptionReport, int, int], None]:
    """Print a line per room as it is done."""

    def tell(report: AdoptionReport, position: int, number: int) -> None:
        if not as_json:
            say(f"{position}/{number}  {report.outcome.value}  {report.name}{f'  {report.why}' if report.why else ''}")

    return tell
