"""The pages below ``/admin``. Each action asks for a reason and states its effect; ``moderation`` carries it out."""
