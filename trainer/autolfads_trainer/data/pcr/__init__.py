"""Start values for several sessions: principal components regression puts them into one space.

Each session has its own channels. Averages over trials that all sessions share say which
directions in one correspond to which in another (Pandarinath et al. 2018,
doi:10.1038/s41592-018-0109-9, "stitching"). `alignment` computes that and is pure, `sessions` does
it for files, `command` is `autolfads pcr`.
"""
