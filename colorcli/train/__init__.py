"""Training: config (what a run is), data (photos in memory), loop (what happens), checkpoint (what lasts)."""
