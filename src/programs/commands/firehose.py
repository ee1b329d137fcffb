"""``openmeet firehose …``: watching event streams and checking captured ones."""

import typer

from programs.commands.firehose_tail import tail
from programs.commands.firehose_verify import verify

app = typer.Typer(help="Event streams.", no_args_is_help=True, add_completion=False)
app.command()(tail)
app.command()(verify)
