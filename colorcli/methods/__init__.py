"""The methods: what each is (spec), the list of them (registry), and one folder each.

Importing a method's folder gives its facts and loads no torch; its network, predictor and objective are
imported when asked for.
"""
