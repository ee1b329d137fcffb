"""The pages below ``/admin``: each action asks for a reason and states its effect; ``moderation`` carries it out."""
