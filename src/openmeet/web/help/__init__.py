"""Pages that explain the site: questions, who runs it, terms, privacy, accessibility, and its current status."""
