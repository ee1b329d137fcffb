"""How often one client may have letters sent to guests; one address has a limit of its own in ``model``."""

from groundwork.rate_limit.contract import Limit

# A family at one connection can answer together; a script that mails strangers cannot.
LETTERS = Limit("guest_letters", 20, 600)
