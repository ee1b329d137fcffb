"""Answering by e-mail, without an account: the form, the letter with its link, the confirmation.

An answer counts once the link in the letter was followed and a button was pressed there: nobody answers for somebody else's address,
and opening the link changes nothing. Whether an address is known here nobody learns: the same words, the same letter. What guests
answer is shown to hosts alone, and nothing of it is ever published.
"""
