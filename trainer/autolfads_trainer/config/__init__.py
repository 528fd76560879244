"""The configuration of a run: read, merged, checked and resolved. No torch, no data.

`resolve.resolve` is the way in; the rest of this package is its steps: `manifest` reads the layers,
`layers` merges them, `keys` tells the used from the ignored, `interpolation` follows `${…}`,
`sections`, `parts` and `consistency` check, `search_space`, `tunable` and `changes` say what may be
tuned.
"""
