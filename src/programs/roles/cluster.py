"""Options of ``openmeet cluster``."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import loading, role

app = role()


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="Folder for keys, logs and files.")] = Path("var-cluster"),
    database: Annotated[
        str,
        typer.Option(
            help="A PostgreSQL database that nothing else uses; the schemas are created in it.",
            envvar="OPENMEET_CLUSTER_DATABASE",
        ),
    ] = "postgresql://postgres@127.0.0.1:5432/openmeet_cluster",
    broker: Annotated[
        str, typer.Option(help="Address of a RabbitMQ.", envvar="OPENMEET_CLUSTER_BROKER")
    ] = "amqp://guest:guest@127.0.0.1:5672/",
    cache: Annotated[
        str, typer.Option(help="Address of a Redis, with the database number.", envvar="OPENMEET_CLUSTER_CACHE")
    ] = "redis://127.0.0.1:6379/0",
    name: Annotated[str, typer.Option(help="Name of the exchange and prefix of the queues on the broker.")] = "cluster",
    pds_port: Annotated[int, typer.Option(help="Port of the PDS.")] = 3000,
    web_port: Annotated[int, typer.Option(help="Port of OpenMeet.")] = 8080,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="Name of a further community, at http://NAME.localhost:PORT; may be repeated."),
    ] = None,
) -> None:
    """Start every part as a separate process and keep all of them running until Ctrl-C."""
    with loading():
        from programs.cluster import run_cluster
        from programs.cluster_environment import ClusterOptions
    run_cluster(ClusterOptions(data.absolute(), database, broker, cache, name, pds_port, web_port, tuple(tenant or ())))
