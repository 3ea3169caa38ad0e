"""The nouns: frozen, typed, and without I/O."""
