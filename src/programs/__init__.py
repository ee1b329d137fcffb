"""Program roles and operators' commands: one module of wiring per role; the only package that may import all others."""
