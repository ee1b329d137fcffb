"""Browser sign-in and sign-out, account chooser, sign-up, and password reset."""
