"""RSVPs by e-mail, without an account: the form, the e-mail with its link, the confirmation.

An RSVP counts only after the guest has opened the link and pressed the button on its page. So nobody can answer for
somebody else's address, and merely opening the link changes nothing. The response never reveals whether an address is
known to this site. Guests' RSVPs are shown only to hosts and are never published.
"""
