"""Options of ``openmeet up``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import loading, role

app = role()

PLC_PORT, PDS_PORT, WEB_PORT = 2582, 3000, 8080


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="Folder for all data.")] = Path("var"),
    plc_port: Annotated[int | None, typer.Option(help=f"Port of the PLC directory, otherwise {PLC_PORT}.")] = None,
    pds_port: Annotated[int | None, typer.Option(help=f"Port of the PDS, otherwise {PDS_PORT}.")] = None,
    web_port: Annotated[int | None, typer.Option(help=f"Port of OpenMeet, otherwise {WEB_PORT}.")] = None,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep no data, and choose free ports unless they are given.")
    ] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Also follow this PDS, relay or Jetstream server (…/subscribe); may be given several times."),
    ] = None,
    second_plc: Annotated[
        str, typer.Option(help="A PLC directory that knows the accounts of --source, like https://plc.directory.")
    ] = "",
    ready_file: Annotated[
        Path | None, typer.Option(help="JSON file that is written when all servers are ready.")
    ] = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Fill the site with an invented town: people, groups and six weeks of events."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every request.")] = False,
) -> None:
    """Start a network on this machine and keep it running until Ctrl-C."""
    if not verbose:
        os.environ.setdefault("OPENMEET_LOG_LEVEL", "warning")
    with loading():
        from programs.up import FurtherSources, Ports, ephemeral_ports, ports_of, run_network
    ports = ports_of(
        ephemeral_ports() if ephemeral else Ports(PLC_PORT, PDS_PORT, WEB_PORT),
        plc=plc_port,
        pds=pds_port,
        web=web_port,
    )
    further = FurtherSources(tuple(source or ()), second_plc)
    run_network(None if ephemeral else data, ports, ready_file, further=further, with_demo=demo)
