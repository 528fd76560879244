"""The controller: observe the run directory and the pool, plan, act. Holds no state of its own.

`ledger` is what was decided, as read from the run directory; `observe` keeps it up to date;
`plan` is pure and says what is to be done next; `act` does it; `loop` does all three in turn.
Kill it anywhere and start it again: it reads the ledger anew and goes on with the same decisions.
"""
