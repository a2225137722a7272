"""Pages that a person opens in a browser: of a run, of a bench, and of a study. Each is one file and asks no network.

They stand above `run`, whose outcomes they tell; of `bench` they know the JSON only.
"""
