"""The pages below ``/admin``: each act asks for a reason and says what it will do; the acts themselves are ``moderation``'s."""
