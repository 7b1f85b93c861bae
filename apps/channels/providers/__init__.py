"""One file per provider, pure translation. registry.py walks this package."""
