"""Report, block and mute."""
