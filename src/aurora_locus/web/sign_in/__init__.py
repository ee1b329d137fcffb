"""Sign-in and sign-out in the browser, account chooser, sign-up, and password reset."""
