"""Splitting one array of trials into those to train on and those to validate with.

`trials.split_file` does it from file to file; `rules` are the ways of choosing.
"""
