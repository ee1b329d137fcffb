"""What only operators see: the pages below ``/admin``, over the acts of ``moderation``, and who reads this server as JSON."""
