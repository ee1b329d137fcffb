"""Sign in and out: e-mail code, PDS password, AT Protocol OAuth."""
