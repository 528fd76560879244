"""The safeguards against what users bring: others' checkpoints, and classes of their own."""

from __future__ import annotations

from safeguard import TRAINER, Safeguard

NO_CODE = "test_exchange_runs_no_code.py"
OWN = "test_classes_of_ones_own.py"
INERT = f"{TRAINER}/exchange/inert.py"
ARCHIVE = f"{TRAINER}/exchange/archive.py"
TORCHS = f"{TRAINER}/torch_archive.py"

OF_WHAT_IS_BROUGHT = (
    # A checkpoint of others is read as a description.
    Safeguard(
        "what a pickle names is not imported",
        INERT,
        "        return self._kinds[full]\n",
        "        return super().find_class(module, name)\n",
        f"{NO_CODE}::test_nothing_is_imported",
    ),
    Safeguard(
        "what a pickle calls is not called",
        INERT,
        "        return Called(self, *args)\n",
        "        return self.args[0](*args)\n",
        f"{NO_CODE}::test_what_is_made_by_a_call_of_an_object",
    ),
    Safeguard(
        "opcodes that torch never writes are not followed",
        INERT,
        "        if opcode.name not in _OPCODES:\n",
        "        if False:\n",
        f"{NO_CODE}::test_a_strange_opcode",
    ),
    Safeguard(
        "a pickle does not have room made for numbers that it has not",
        INERT,
        '        if opcode.name == "LONG_BINPUT" and (value or 0) > len(pickled):\n',
        "        if False:\n",
        f"{NO_CODE}::test_an_odd_pickle",
    ),
    Safeguard(
        "classes that a pickle names are counted",
        INERT,
        "            if len(self._kinds) >= MAX_NAMES:\n",
        "            if False:\n",
        f"{NO_CODE}::test_classes_are_counted",
    ),
    Safeguard(
        "a description has a bound",
        ARCHIVE,
        "entry.file_size > MAX_PICKLE:",
        "entry.file_size > 10**12:",
        f"{NO_CODE}::test_a_long_description_is_not_read",
    ),
    Safeguard(
        "of two parts of one name none is believed",
        ARCHIVE,
        "        if len(self._entries) != len(entries):\n",
        "        if False:\n",
        f"{NO_CODE}::test_a_part_too_many",
    ),
    Safeguard(
        "what is packed is not unpacked",
        TORCHS,
        "    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):\n",
        "    if False:\n",
        f"{NO_CODE}::test_a_packed_archive_is_not_unpacked",
    ),
    Safeguard(
        "parts that overlap are not read one after another",
        TORCHS,
        "    if sum(entry.file_size for entry in entries) > size:\n",
        "    if False:\n",
        f"{NO_CODE}::test_parts_that_are_the_same_bytes",
    ),
    # Only what was allowed is imported.
    Safeguard(
        "a class of one's own is imported where it was allowed",
        f"{TRAINER}/own_classes.py",
        "    if not is_allowed(target, _allowed):\n",
        "    if False:\n",
        f"{OWN}::test_a_checkpoint_that_names_a_class_imports_nothing_unasked",
    ),
    Safeguard(
        "a module is not allowed by the beginning of its name",
        f"{TRAINER}/own_classes.py",
        'module.startswith(allowed + ".")',
        "module.startswith(allowed)",
        f"{OWN}::test_what_is_allowed_is_a_module_and_those_below_it",
    ),
    Safeguard(
        "a class of one's own is tried before anything trains",
        f"{TRAINER}/own_classes.py",
        "    if role in _TRIALS:\n",
        "    if False:\n",
        f"{OWN}::test_what_a_class_lacks_is_told",
    ),
    Safeguard(
        "a class of one's own draws while no other does",
        f"{TRAINER}/training/step.py",
        "    with _PROCESS_WIDE, torch.random.fork_rng(devices):\n",
        "    with torch.random.fork_rng(devices):\n",
        f"{OWN}::test_members_in_several_threads_draw_as_they_do_one_after_another",
    ),
    Safeguard(
        "an augmentation of one's own gets copies",
        f"{TRAINER}/training/augmentations/own.py",
        "one.transpose(0, 1).clone() for one in parts",
        "one.transpose(0, 1) for one in parts",
        f"{OWN}::test_it_may_work_in_place_and_changes_nothing_that_others_read",
    ),
    Safeguard(
        "what an augmentation of one's own gives is copied",
        f"{TRAINER}/training/augmentations/own.py",
        "    return torch.empty_like(like).copy_(values.transpose(0, 1))\n",
        "    return values.transpose(0, 1)\n",
        f"{OWN}::test_what_comes_back_may_be_part_of_what_is_to_be_reconstructed",
    ),
    Safeguard(
        "a reconstruction of one's own gets a copy",
        f"{TRAINER}/training/step.py",
        "recon.clone() if of.own else recon",
        "recon",
        f"{OWN}::test_it_may_work_in_place_and_changes_nothing_that_others_read",
    ),
    Safeguard(
        "lists of trials are in a new order, too",
        f"{TRAINER}/results/reordering.py",
        "        if any(_is_of_lists(one) for one in found.values()):\n",
        "        if False:\n",
        "test_results_in_a_new_order.py::test_arrays_of_any_kind_and_lists_of_trials_go_together",
    ),
)
