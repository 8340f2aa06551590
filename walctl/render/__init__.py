"""What a person sees: results onto a screen; the only room that imports rich."""
