"""How `make single-file` packs walctl, and what its file does first."""
