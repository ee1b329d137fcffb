"""What every page shares: layout, session, forms, errors, tenant routing, static files."""
