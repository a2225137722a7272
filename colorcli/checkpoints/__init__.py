"""Weights on disk: manifest (what ships), store (where they lie), load and export (safe, strict)."""
