"""Colour as pure tensor functions: spaces, sizes, and how chroma meets lightness."""
