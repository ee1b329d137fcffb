"""The frame around every page of the PDS: layout, branding, forms, static files, failures. It knows no room above it."""
