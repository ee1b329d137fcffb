"""RSVPs by e-mail, without an account: the form, the e-mail with its link, the confirmation.

An RSVP counts once its link was followed and a button was pressed there, so nobody answers for somebody else's address and opening a
link changes nothing. The reply never tells whether an address is known here. Guests' RSVPs are shown to hosts alone and never published.
"""
