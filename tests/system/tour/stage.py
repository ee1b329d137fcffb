"""The network of the tour: each program is a separate process, with a proxy that can lose responses in front of the
first PDS.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.processes import Program, free_port
from tests.simulation.proxy import LossyProxy

ADMIN_PASSWORD = "administration of the tour"
WORKERS = ("firehose-consumer", "event-processor", "publisher", "scheduler")


@dataclass
class Stage:
    """The parts of the network that the steps use."""

    folder: Path
    plc_url: str
    proxy: LossyProxy
    pds_url: str
    pds: Program
    second_pds_url: str
    second_pds: Program
    openmeet_url: str
    platform: dict[str, Program]


def pds_program(folder: Path, name: str, port: int, public_url: str, plc_url: str) -> Program:
    """A PDS with its own folder."""
    environment = {
        "PDS_HOSTNAME": "localhost",
        "PDS_PORT": str(port),
        "PDS_PUBLIC_URL": public_url,
        "PDS_DATA_DIRECTORY": str(folder / name),
        "PDS_DID_PLC_URL": plc_url,
        "PDS_DEV_MODE": "true",
        "PDS_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "PDS_SERVICE_HANDLE_DOMAINS": ".test" if name == "pds" else ".second.test",
    }
    return Program("pds", environment, folder / f"{name}.log", f"http://127.0.0.1:{port}/xrpc/_health")


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Start everything, and stop it in reverse order."""
    async with AsyncExitStack() as stack:

        async def start(program: Program) -> Program:
            stack.push_async_callback(program.stop)
            await program.start()
            return program

        plc_port, pds_port, second_port, web_port = (free_port() for _ in range(4))
        plc_url = f"http://127.0.0.1:{plc_port}"
        limits = {f"PLC_{span}_LIMIT": "0" for span in ("HOURLY", "DAILY", "WEEKLY")}
        plc = {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(folder / "plc"), **limits}
        await start(Program("plc", plc, folder / "plc.log", f"{plc_url}/_health"))

        proxy = await stack.enter_async_context(LossyProxy(f"http://127.0.0.1:{pds_port}"))
        pds_url = proxy.url.replace("127.0.0.1", "localhost")
        pds = await start(pds_program(folder, "pds", pds_port, pds_url, plc_url))
        second_url = f"http://localhost:{second_port}"
        second = await start(pds_program(folder, "second", second_port, second_url, plc_url))

        openmeet_url = f"http://127.0.0.1:{web_port}"
        environment = {
            "OPENMEET_PUBLIC_URL": openmeet_url,
            "OPENMEET_PORT": str(web_port),
            "OPENMEET_DATA_DIRECTORY": str(folder / "openmeet"),
            "OPENMEET_DEV_MODE": "true",
            "OPENMEET_DEV_MAILBOX": "true",
            "OPENMEET_ALLOW_PRIVATE_ADDRESSES": "true",
            "OPENMEET_PDS_URL": pds_url,
            "OPENMEET_PDS_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "OPENMEET_PDS_HANDLE_DOMAIN": ".test",
            "OPENMEET_PLC_URL": plc_url,
            # The first PDS is read without the proxy in front of it. Its accounts name the proxy's address.
            "OPENMEET_FIREHOSE_URLS": f"ws://127.0.0.1:{pds_port}={pds_url},{second_url.replace('http', 'ws', 1)}",
        }
        roles = ("web", *WORKERS)
        platform = {
            role: Program(
                role, environment, folder / f"{role}.log", f"{openmeet_url}/health/ready" if role == "web" else None
            )
            for role in roles
        }
        for program in platform.values():
            await start(program)
        yield Stage(folder, plc_url, proxy, pds_url, pds, second_url, second, openmeet_url, platform)
