"""The administration: the pages below ``/admin``, over the actions of ``moderation``, and the federation status as JSON."""
