"""Figures of merit, each a pure function."""
