"""Seconds of an export's sampling beside those of the training before it: export.py

Posterior samples of every trial of the yardstick, against the same trials' training: all members of
a population for all epochs, each epoch with its validation. Both are measured on few trials and
epochs, and multiplied.
"""

from __future__ import annotations

import statistics

import products
import torch
import yardstick

from autolfads_trainer.results.sampling import in_parts, joined


def main() -> None:
    """Measure, print, and write."""
    parser = yardstick.options(__doc__)
    yardstick.add_counts(
        parser,
        {
            "--trials": (products.BATCH, "that are exported, and trained on"),
            "--samples": (50, "of each trial's posterior"),
            "--members": (16, "of the population that training is multiplied by"),
            "--epochs": (1000, "of each member"),
            "--repeats": (2, "times that each is measured"),
        },
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    data = yardstick.dataset(device, arguments.trials)
    member = yardstick.member(data)

    def export() -> None:
        joined(
            in_parts(
                member.model,
                data.train,
                samples=arguments.samples,
                batch_size=products.BATCH,
                seed=0,
            )
        )

    def epoch() -> None:
        member.progress.epoch = 0
        member.train(lambda _: False)

    sampling_s = statistics.median(yardstick.seconds(export, arguments.repeats, device))
    epoch_s = statistics.median(yardstick.seconds(epoch, arguments.repeats, device))
    training_s = arguments.members * arguments.epochs * epoch_s
    found = {
        "device": yardstick.name_of(device),
        "trials": arguments.trials,
        "samples": arguments.samples,
        "threads": arguments.threads,
        "sampling_s": sampling_s,
        "sample_of_a_trial_s": sampling_s / arguments.samples / arguments.trials,
        "epoch_s": epoch_s,
        "training_s": training_s,
        "share_of_training": sampling_s / training_s,
    }
    yardstick.tell(found, arguments.json)


if __name__ == "__main__":
    main()
