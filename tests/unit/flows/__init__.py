"""The decisions, as tables of situation and effect."""
