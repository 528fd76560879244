"""The worker: one process, one life. Does one task after another until the run is over.

A process has one or more lanes, each of which is one worker for the controller. Exit codes: 0 only
when told that the run is over; 143 when told to leave (SIGTERM) or left alone; 1 when the run
directory fails.
"""
