"""Pages that explain the site."""
