"""`python -m autolfads_trainer.worker`."""

from autolfads_trainer.worker.command import main

main()
