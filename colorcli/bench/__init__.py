"""Measuring: protocols whose numbers anyone can reproduce."""
