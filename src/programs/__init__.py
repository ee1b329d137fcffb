"""Program roles and operators' commands: one module per role that wires it up. Only this package may import all others."""
