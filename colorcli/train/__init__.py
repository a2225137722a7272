"""Training: config (what a run is), data (which photos), loop (what happens), checkpoint (what lasts)."""
