"""``openmeet firehose …``: watch event streams and check captured ones."""

from programs.command_line import noun
from programs.commands.firehose_tail import tail
from programs.commands.firehose_verify import verify

app = noun("Watch an event stream; verify captured frames.")
app.command()(tail)
app.command()(verify)
