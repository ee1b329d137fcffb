"""``/account/security``: set up and remove second factors. Every page asks for the password first."""
