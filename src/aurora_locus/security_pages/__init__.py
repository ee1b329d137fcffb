"""``/account/security``: what is asked for beside the password, set up and taken away. Every page asks for proof first."""
