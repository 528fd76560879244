"""The safeguards of a run, each with the change that turns it off and the test that must notice.

A name, a file below the repository, the text that makes the safeguard, what stands there without
it, and a test that fails then.
"""

from __future__ import annotations

from typing import NamedTuple

TRAINER = "trainer/autolfads_trainer"
OPERATOR = "operator/autolfads_operator"


class Safeguard(NamedTuple):
    """One safeguard, and how to turn it off. The text stands in the file exactly once."""

    name: str
    file: str
    text: str
    without: str
    test: str


WHOLE = "test_run_directory_files_are_whole.py"
FIRST = "test_run_directory_first_writer_wins.py"
REFUSALS = "test_controller_removals_that_fail.py"
NAMES = "test_run_directory_names_and_tidying.py"
RECORDS = "test_run_directory_records_are_checked.py"
VOLUME = "test_run_directory_needs_a_volume.py"
WORKER = "test_worker_keeps_the_rules.py"
SURVIVES = "test_controller_survives.py"
DAMAGED = "test_controller_damaged_checkpoints.py"
SIGNS = "test_controller_signs_of_life.py"
STEADY = "test_controller_steady_turns.py"
ATTEMPTS = "test_controller_attempts.py"
TRAINING = "test_training_task_and_its_disk.py"
CHANGED = "test_controller_refuses_changed_records.py"
OTHERS = "test_run_touches_nothing_of_others.py"
NEEDED = "test_controller_keeps_what_can_be_needed.py"
PATIENT = "test_patience_with_disks.py"
HOSTILE = "test_hostile_recordings.py"

SAFEGUARDS = (
    # A file is complete before it has its name.
    Safeguard(
        "content is synced",
        f"{TRAINER}/disk.py",
        "            rest = rest[os.write(handle, rest) :]\n        os.fsync(handle)\n",
        "            rest = rest[os.write(handle, rest) :]\n",
        f"{WHOLE}::test_content_is_synced_before_the_name_and_the_name_before_the_call_returns",
    ),
    Safeguard(
        "the folder is synced after a replacement",
        f"{TRAINER}/disk.py",
        "        forget(partial)\n    sync_folder(path.parent)\n",
        "        forget(partial)\n",
        f"{WHOLE}::test_content_is_synced_before_the_name_and_the_name_before_the_call_returns",
    ),
    Safeguard(
        "the folder is synced after a creation",
        f"{TRAINER}/disk.py",
        "    retried(lambda: sync_folder(path.parent))\n    return new\n",
        "    return new\n",
        f"{WHOLE}::test_content_is_synced_before_the_name_and_the_name_before_the_call_returns",
    ),
    Safeguard(
        "a file is written under a temporary name",
        f"{TRAINER}/disk.py",
        "    partial = temporary(path)\n    try:\n        write(partial)\n        _take_name(",
        "    partial = path\n    try:\n        write(partial)\n        _take_name(",
        f"{WHOLE}::test_content_is_synced_before_the_name_and_the_name_before_the_call_returns",
    ),
    # What decides is created once.
    Safeguard(
        "a record is created exclusively",
        f"{TRAINER}/disk.py",
        "        os.link(partial, path)\n",
        "        os.replace(partial, path)\n",
        f"{FIRST}::test_the_second_record_is_dropped_and_the_first_returned",
    ),
    Safeguard(
        "what was created is read back",
        f"{TRAINER}/store.py",
        "        return read(path, type(record))\n    except FileNotFoundError:",
        "        return record\n    except FileNotFoundError:",
        f"{FIRST}::test_the_second_record_is_dropped_and_the_first_returned",
    ),
    Safeguard(
        "a link that reports an error may have succeeded",
        f"{TRAINER}/disk.py",
        "        if not path.exists():\n            raise\n        return False\n",
        "        raise\n",
        f"{FIRST}::test_a_link_that_fails_although_another_has_decided_gives_the_others_record",
    ),
    Safeguard(
        "a rename that reports an error may have succeeded",
        f"{TRAINER}/disk.py",
        "        if not _is_file(path, ours):\n            raise\n",
        "        raise\n",
        f"{FIRST}::test_a_rename_that_was_done_and_reports_an_error_was_done",
    ),
    Safeguard(
        "a name that another made and is not seen yet is waited for",
        f"{TRAINER}/store.py",
        "        raise NotVisibleYetError(",
        "        raise FileNotFoundError(",
        f"{FIRST}::test_what_another_made_and_is_not_seen_yet_is_no_decision_yet",
    ),
    # Plans, orders and controllers that come and go.
    Safeguard(
        "orders that an earlier controller did not come to give are given",
        f"{OPERATOR}/controller/orders.py",
        "    due = [m for m in range(run.population) if ledger.newest[m] < newest]\n",
        "    due = list(range(run.population)) if newest > ledger.generation else []\n",
        f"{SURVIVES}::test_a_controller_killed_again_and_again_gets_there",
    ),
    Safeguard(
        "an idle worker is reminded of its task",
        f"{OPERATOR}/controller/reminders.py",
        "            if ours(task.worker) or now",
        "            if not ours(task.worker) and now",
        "test_controller_two_at_once.py::test_an_idle_worker_of_ours_is_pointed_to_its_task_at_once",
    ),
    Safeguard(
        "another controller's task stays with its worker",
        f"{OPERATOR}/controller/act.py",
        "    if counts != task:\n        return counts, folder.outcome(counts.folder)\n",
        "",
        "test_controller_two_at_once.py::test_another_controllers_task_stays_with_the_worker_that_it_names",
    ),
    Safeguard(
        "the last turn tidies up whatever it takes",
        f"{OPERATOR}/controller/loop.py",
        "            done = self._tidier.tidy(self.ledger, until)\n",
        "            done = self._tidier.tidy(self.ledger, 0.0) or True\n",
        "test_controller_retention.py::test_the_last_turn_tidies_up_although_its_time_is_used_up",
    ),
    Safeguard(
        "a worker whose controller stopped is pointed to its task",
        f"{OPERATOR}/controller/reminders.py",
        "            if ours(task.worker) or now - self._since[task.folder] > self.patience:",
        "            if ours(task.worker):",
        "test_controller_two_at_once.py::test_a_worker_whose_controller_stopped_before_it_was_pointed_to_its_task_is_pointed",
    ),
    Safeguard(
        "a worker is not pointed to what it has done",
        f"{OPERATOR}/controller/reminders.py",
        "if sure or self.folder.outcome(task.folder) is None:",
        "if True:",
        "test_controller_two_at_once.py::test_a_task_that_another_controllers_worker_has_done_is_not_its_task_any_more",
    ),
    Safeguard(
        "a full disk is not taken for dead workers",
        f"{OPERATOR}/controller/loop.py",
        "        self._ask_the_disk(lives, now)\n",
        "",
        f"{SIGNS}::test_on_a_disk_that_nobody_can_write_to_nobody_is_killed_for_silence",
    ),
    Safeguard(
        "tasks go only to workers that have shown life",
        f"{OPERATOR}/controller/loop.py",
        "if life in self.statuses and life not in busy]",
        "if life not in busy]",
        f"{SURVIVES}::test_a_task_goes_to_no_worker_before_it_has_shown_life",
    ),
    # Workers that die, hang and come back.
    Safeguard(
        "a worker that is gone is given up",
        f"{OPERATOR}/controller/loop.py",
        "        self._give_up_the_dead(lives, now)\n        if self.ledger.refused",
        "        if self.ledger.refused",
        f"{SURVIVES}::test_the_attempt_of_a_lost_worker_that_saved_nothing_begins_anew",
    ),
    Safeguard(
        "a silent worker is dropped",
        f"{OPERATOR}/controller/loop.py",
        "            self.pool.drop(life)\n            self._dropped.add(life)\n",
        "            pass\n",
        "test_controller_drops_silent_workers.py::test_its_members_move_and_the_run_is_the_same",
    ),
    Safeguard(
        "workers of another controller are left alone while they move",
        f"{OPERATOR}/controller/loop.py",
        "stranger and not self.vitals.is_gone(",
        "stranger and self.vitals.is_gone(",
        f"{SIGNS}::test_two_controllers_with_workers_of_their_own_leave_each_others_alone",
    ),
    Safeguard(
        "a time without turns is not held against workers",
        f"{OPERATOR}/controller/loop.py",
        "            self.vitals.hold(now - self._last_turn)\n",
        "",
        f"{SIGNS}::test_a_time_without_turns_is_not_held_against_workers",
    ),
    Safeguard(
        "an abandoned attempt names what was saved",
        f"{OPERATOR}/controller/observe.py",
        "            checkpoint=name if saved else None,\n",
        "            checkpoint=None,\n",
        f"{SURVIVES}::test_the_attempt_of_a_lost_worker_says_what_it_had_saved",
    ),
    Safeguard(
        "an abandoned attempt names only its own saves",
        f"{OPERATOR}/controller/observe.py",
        "return status.saved if status.saved in ours else None",
        "return status.saved",
        f"{SIGNS}::test_an_abandoned_attempt_names_only_what_an_attempt_can_have_saved",
    ),
    Safeguard(
        "a task that has an outcome is not done",
        f"{TRAINER}/worker.py",
        "        if self.patience(lambda: self.folder.outcome(folder)) is not None:\n"
        "            raise TaskGone(folder)  # had by another, or given up\n",
        "",
        f"{WORKER}::test_a_task_that_has_an_outcome_is_not_done",
    ),
    Safeguard(
        "a worker that finds another outcome leaves",
        f"{TRAINER}/worker.py",
        "        if counts.model_dump_json() != outcome.model_dump_json():\n"
        "            raise TaskGone(folder)\n",
        "",
        f"{WORKER}::test_a_worker_that_was_given_up_while_it_worked_leaves_the_first_outcome",
    ),
    Safeguard(
        "another life's task is not done",
        f"{TRAINER}/worker.py",
        "if task is None or task.worker != self.life:",
        "if task is None:",
        f"{WORKER}::test_another_lifes_task_is_not_done",
    ),
    Safeguard(
        "a worker looks whether its task is still its own before it saves",
        f"{TRAINER}/tasks/train.py",
        "        self._check_still_ours()\n        if not self.announced:\n",
        "        if not self.announced:\n",
        f"{TRAINING}::test_a_worker_whose_task_is_gone_saves_nothing_more",
    ),
    Safeguard(
        "a worker whose task is gone stops training",
        f"{TRAINER}/tasks/train.py",
        "            self._check_still_ours()\n        if self.context.must_leave",
        "        if self.context.must_leave",
        f"{TRAINING}::test_a_worker_whose_task_is_gone_stops_training_at_its_next_look",
    ),
    Safeguard(
        "saves take turns under two names",
        f"{TRAINER}/store.py",
        "checkpoint-{2 - number % 2}.ckpt",
        "checkpoint-1.ckpt",
        f"{TRAINING}::test_saves_take_turns_and_the_newest_is_never_written_over",
    ),
    # Damage.
    Safeguard(
        "a checkpoint's checksum is compared",
        f"{TRAINER}/tasks/start.py",
        "if task.start_sha256 is not None and found != task.start_sha256:",
        "if False:",
        f"{TRAINING}::test_a_start_that_is_damaged_is_told_and_nothing_is_trained",
    ),
    Safeguard(
        "a damaged checkpoint is not asked for again",
        f"{OPERATOR}/controller/ledger.py",
        "            self.damaged.add(outcome.damaged)\n",
        "            pass\n",
        f"{DAMAGED}::test_of_a_damaged_save_the_one_before_is_used",
    ),
    Safeguard(
        "damage is not held against a member",
        f"{OPERATOR}/controller/attempts.py",
        "        if outcome.damaged is not None:\n            continue\n",
        "",
        f"{ATTEMPTS}::test_attempts_are_used_up_by_failures_and_by_losses_without_progress",
    ),
    Safeguard(
        "an end that is damaged as often as it is made is given up",
        f"{OPERATOR}/controller/attempts.py",
        " or finished >= MAX_FINISHED\n",
        "\n",
        f"{ATTEMPTS}::test_attempts_are_used_up_by_failures_and_by_losses_without_progress",
    ),
    Safeguard(
        "a bad sector under a checkpoint is damage",
        f"{TRAINER}/tasks/bad_sector.py",
        "                if now - since < enough or",
        "                if now - since < 2 * enough or",
        f"{TRAINING}::test_a_bad_sector_under_a_start_is_damage_after_ten_minutes",
    ),
    Safeguard(
        "a disk that fails as a whole blames no checkpoint",
        f"{TRAINER}/tasks/bad_sector.py",
        " or not self.works(path.parent):\n",
        ":\n",
        f"{TRAINING}::test_a_disk_that_fails_as_a_whole_is_waited_for_and_blames_no_checkpoint",
    ),
    Safeguard(
        "what a start was made from is kept",
        f"{OPERATOR}/controller/retention.py",
        "            yield from _chain(ledger, leg.order.parent)\n",
        "            yield leg.order.parent\n",
        f"{DAMAGED}::test_the_end_of_a_generation_is_made_again",
    ),
    Safeguard(
        "what cannot be made again is given up",
        f"{OPERATOR}/controller/plan.py",
        "            yield GiveUp(_given_up(leg), _damage_beyond_repair(start))\n",
        "            pass\n",
        f"{DAMAGED}::test_making_again_what_fails_is_given_up",
    ),
    # Bounds.
    Safeguard(
        "a stranger that has much to do is held against nobody",
        f"{OPERATOR}/controller/attempts.py",
        "            abandoned += not outcome.stranger\n",
        "            abandoned += 1\n",
        f"{ATTEMPTS}::test_attempts_are_used_up_by_failures_and_by_losses_without_progress",
    ),
    Safeguard(
        "a stranger is waited for longer at each attempt",
        f"{OPERATOR}/controller/vitals.py",
        " * 2.0 ** min(before, 30)",
        "",
        "test_controller_signs_of_life.py"
        "::test_steps_that_take_longer_than_a_stranger_is_waited_for_decide_nothing",
    ),
    Safeguard(
        "attempts are used up",
        f"{OPERATOR}/controller/attempts.py",
        "failed >= MAX_FAILED or abandoned >= MAX_ABANDONED",
        "False",
        f"{ATTEMPTS}::test_attempts_are_used_up_by_failures_and_by_losses_without_progress",
    ),
    Safeguard(
        "checkpoints that nobody needs are removed",
        f"{OPERATOR}/controller/tidy.py",
        ' and self.removals.remove(f"{place}/{name}"):',
        ":",
        "test_controller_retention.py::test_saves_of_attempts_that_did_not_finish_are_removed",
    ),
    Safeguard(
        "what the disk refuses to remove keeps nothing else from going",
        f"{OPERATOR}/controller/removals.py",
        "            if not may_pass(error):\n                raise\n            wait",
        "            raise\n            wait",
        f"{REFUSALS}::test_one_that_can_never_be_removed_stays_alone_and_is_named_at_the_end",
    ),
    Safeguard(
        "nothing is begun where too much cannot be removed",
        f"{OPERATOR}/controller/loop.py",
        "        while may_act and not self.more",
        "        while not self.more",
        f"{REFUSALS}::test_a_disk_that_refuses_more_than_there_is_room_for_is_waited_for",
    ),
    Safeguard(
        "what an export left goes before the next one begins",
        f"{OPERATOR}/controller/loop.py",
        "        if self.ledger.export:\n            # What",
        "        if False:\n            # What",
        f"{REFUSALS}::test_what_an_export_left_is_large_and_is_removed_before_the_next_one",
    ),
    Safeguard(
        "a last turn that the disk refuses ends",
        f"{OPERATOR}/controller/loop.py",
        "        return done or (enough and bool(self.left))\n",
        "        return done\n",
        f"{REFUSALS}::test_workers_are_told_to_leave_although_the_last_things_cannot_be_removed",
    ),
    Safeguard(
        "what is half-made beside the decided records is removed",
        f"{OPERATOR}/controller/tidy.py",
        "self._sweep_temporary(None, of=_DECIDED) and ",
        "",
        f"{REFUSALS}::test_workers_are_told_to_leave_although_the_last_things_cannot_be_removed",
    ),
    Safeguard(
        "what is gone or damaged is made again from the beginning if need be",
        f"{OPERATOR}/controller/plan.py",
        "        if isinstance(start, Forgotten):\n            yield Recall(start.place)\n",
        "",
        f"{DAMAGED}::test_all_checkpoints_damaged_at_once_are_made_again_from_the_beginning",
    ),
    Safeguard(
        "what the disk refused before a restart is looked for again",
        f"{OPERATOR}/controller/tidy.py",
        "        return self._sweep_old(ledger, until) and not",
        "        return not",
        f"{REFUSALS}::test_a_new_controller_finds_what_could_not_be_removed_before_it",
    ),
    Safeguard(
        "a status that cannot be read holds up nobody",
        f"{OPERATOR}/controller/observe.py",
        "        if not may_pass(error):\n            raise\n        return None",
        "        raise",
        "test_controller_on_a_bad_sector.py::test_a_status_that_cannot_be_read_holds_up_nobody",
    ),
    Safeguard(
        "the status of a dead worker is waited for, and not for ever",
        f"{OPERATOR}/controller/loop.py",
        "                if now - self._unread.setdefault(life, now) <= LAST_TRIES:\n",
        "                if False:\n",
        "test_controller_on_a_bad_sector.py"
        "::test_the_last_status_of_a_dead_worker_is_waited_for_since_it_names_a_save",
    ),
    Safeguard(
        "a changed order of a generation that is over is not made again",
        f"{OPERATOR}/controller/reading.py",
        "            if not task.is_for(order):\n",
        "            if False:\n",
        f"{DAMAGED}::test_a_forgotten_order_that_was_changed_is_not_made_again",
    ),
    Safeguard(
        "old generations are forgotten",
        f"{OPERATOR}/controller/tidy.py",
        "            del ledger.legs[leg.place]\n",
        "",
        "test_controller_reads_little.py::test_turns_read_as_much_in_generation_60_as_in_generation_5",
    ),
    Safeguard(
        "the disk's room is looked at before the start",
        f"{TRAINER}/tasks/prepare.py",
        "    _refuse_too_small_a_disk(context.folder.root, disk, data_bytes if relative else 0)\n",
        "",
        "test_disk_use_is_told_and_checked.py::test_a_disk_with_too_little_room_is_refused",
    ),
    # Disks.
    Safeguard(
        "a turn that a disk failed is taken again",
        f"{OPERATOR}/controller/steady.py",
        "if isinstance(answer, OSError) and may_pass(answer):",
        "if False:",
        f"{STEADY}::test_a_disk_in_trouble_is_told_once_and_its_end_too",
    ),
    Safeguard(
        "a hanging turn is told",
        f"{OPERATOR}/controller/steady.py",
        '            self._tell("the volume does not answer")\n',
        "            pass\n",
        f"{STEADY}::test_a_turn_that_hangs_blocks_nobody_and_is_told",
    ),
    Safeguard(
        "an outcome waits for the disk",
        f"{TRAINER}/worker.py",
        "        counts = self.patience(lambda: self.folder.settle(folder, outcome))\n",
        "        counts = self.folder.settle(folder, outcome)\n",
        f"{WORKER}::test_an_outcome_waits_for_the_disk",
    ),
    Safeguard(
        "a task that is announced is waited for",
        f"{TRAINER}/worker.py",
        "self.patience.announced(lambda: self.folder.task(folder))",
        "self.folder.task(folder)",
        f"{WORKER}::test_a_task_that_is_announced_before_it_is_seen_is_waited_for",
    ),
    Safeguard(
        "a status that cannot be written stops nobody",
        f"{TRAINER}/worker.py",
        "        except OSError as error:  # it decides nothing: the next one will do\n"
        "            if not may_pass(error):\n                raise\n",
        "        finally:\n            pass\n",
        f"{WORKER}::test_a_status_that_cannot_be_written_stops_nobody",
    ),
    Safeguard(
        "a save that the disk refuses does not stop training",
        f"{TRAINER}/tasks/train.py",
        "self.context.patience.once(save, min(",
        "save() or (min(",
        f"{TRAINING}::test_a_save_that_the_disk_refuses_costs_nothing_but_itself",
    ),
    Safeguard(
        "the last save of a generation waits for the disk",
        f"{TRAINER}/tasks/train.py",
        "                self.context.patience(self.save)\n",
        "                self.save()\n",
        f"{TRAINING}::test_no_save_is_written_before_the_one_before_is_told_of",
    ),
    Safeguard(
        "the volume is tried: hard links",
        f"{TRAINER}/volume.py",
        '        ("hard link", lambda: _links(first, second)),\n',
        "",
        f"{VOLUME}::test_a_local_disk_can_do_all_of_it_and_keeps_no_trace",
    ),
    Safeguard(
        "the volume is tried: exclusive creation",
        f"{TRAINER}/volume.py",
        '        ("exclusive creation", lambda: _refuses_to_overwrite(first, second)),\n',
        "",
        f"{VOLUME}::test_a_second_link_that_fails_otherwise_than_because_the_name_exists_is_told",
    ),
    Safeguard(
        "the volume is tried: rename",
        f"{TRAINER}/volume.py",
        '        ("rename", lambda: _replaces(first, second)),\n',
        "",
        f"{VOLUME}::test_what_the_volume_cannot_do_is_named",
    ),
    Safeguard(
        "the volume is tried: fsync of a folder",
        f"{TRAINER}/volume.py",
        '        ("fsync of a folder", lambda: sync_folder(root)),\n',
        "",
        f"{VOLUME}::test_what_the_volume_cannot_do_is_named",
    ),
    # Hostile files.
    Safeguard(
        "a record leads nowhere out of the folder",
        f"{TRAINER}/store.py",
        'or ".." in name.parts ',
        "",
        f"{NAMES}::test_no_record_leads_out_of_the_folder",
    ),
    Safeguard(
        "links in the folder are refused",
        f"{TRAINER}/store.py",
        "    if found:\n        raise StoreError(",
        "    if False:\n        raise StoreError(",
        f"{NAMES}::test_results_are_not_published_through_a_link",
    ),
    Safeguard(
        "only plain files are read as records",
        f"{TRAINER}/disk.py",
        "        if not stat.S_ISREG(os.fstat(handle).st_mode):\n",
        "        if False:\n",
        f"{RECORDS}::test_a_pipe_that_somebody_holds_open_is_refused_and_not_waited_for",
    ),
    Safeguard(
        "a record has a bound",
        f"{TRAINER}/store.py",
        '    if len(content) > MAX_JSON_BYTES:\n        raise StoreError(f"{path}: has',
        '    if False:\n        raise StoreError(f"{path}: has',
        f"{RECORDS}::test_a_record_may_have_exactly_so_many_bytes",
    ),
    Safeguard(
        "an outcome names checkpoints of its own attempt only",
        f"{OPERATOR}/controller/ledger.py",
        'not checkpoint.startswith(f"{task.folder}/checkpoint")',
        "False",
        f"{ATTEMPTS}::test_an_outcome_that_names_anothers_checkpoint_is_told_with_its_file",
    ),
    Safeguard(
        "a record is no link",
        f"{TRAINER}/disk.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
        f"{NAMES}::test_a_record_that_is_a_link_is_not_read",
    ),
    Safeguard(
        "results are not published through a link",
        f"{TRAINER}/store.py",
        "        _refuse_link(self.results)\n",
        "",
        f"{NAMES}::test_results_are_not_published_through_a_link",
    ),
    Safeguard(
        "the folder is synced when results have their name",
        f"{TRAINER}/store.py",
        "            sync_folder(self.root)\n",
        "",
        f"{NAMES}::test_the_name_of_the_results_is_durable_before_anything_follows_from_it",
    ),
    Safeguard(
        "an order is for its place",
        f"{TRAINER}/store.py",
        "    if (order.member, order.generation) != (member, generation):\n",
        "    if False:\n",
        f"{NAMES}::test_an_order_or_a_task_at_another_place_is_refused",
    ),
    Safeguard(
        "a task is for its folder",
        f"{TRAINER}/store.py",
        "    if task.folder != folder or",
        "    if False and",
        f"{NAMES}::test_an_order_or_a_task_at_another_place_is_refused",
    ),
    Safeguard(
        "a log is not written through a link",
        f"{OPERATOR}/pools/local.py",
        'self.folder.path(f"workers/{life}.log")',
        'self.folder.root / f"workers/{life}.log"',
        "test_controller_local_workers.py::test_no_log_is_written_through_a_link",
    ),
    Safeguard(
        "no save is written before the one before is told of",
        f"{TRAINER}/tasks/train.py",
        "        if not self.announced:\n            self._announce()\n",
        "        if False:\n            self._announce()\n",
        f"{TRAINING}::test_no_save_is_written_before_the_one_before_is_told_of",
    ),
    Safeguard(
        "a save is told of surely",
        f"{TRAINER}/worker.py",
        "            self.folder.announce(self.life, self.status)\n",
        "            self.folder.report(self.life, self.status)\n",
        f"{WORKER}::test_what_a_worker_announces_outlasts_a_power_cut",
    ),
    Safeguard(
        "a log has a bound",
        f"{TRAINER}/worker_log.py",
        "        if self.left <= 0:\n            return\n",
        "",
        "test_worker_log.py::test_a_log_has_a_bound_and_says_that_it_is_full",
    ),
    Safeguard(
        "the reason in an outcome has a bound",
        f"{TRAINER}/worker.py",
        'Outcome(outcome="failed", reason=shortened(reason))',
        'Outcome(outcome="failed", reason=reason)',
        f"{WORKER}::test_an_endless_error_makes_no_endless_outcome",
    ),
    Safeguard(
        "the volume of a run that is gone on with is tried",
        f"{TRAINER}/volume.py",
        "    if not (in_use and may_pass(error)):\n",
        "    if not in_use:\n",
        f"{VOLUME}::test_a_volume_in_use_that_cannot_do_it_any_more_is_refused",
    ),
    Safeguard(
        "what workers leave that come back is removed",
        f"{OPERATOR}/controller/tidy.py",
        " or place in self._again:",
        ":",
        "test_controller_retention_of_broken_attempts.py::test_what_workers_leave_that_come_back_is_removed",
    ),
    Safeguard(
        "an order that was changed is not gone on with",
        f"{OPERATOR}/controller/reading.py",
        "    refuse_changed(ledger)\n    for leg",
        "    for leg",
        "test_controller_refuses_changed_records.py"
        "::test_an_order_that_was_changed_is_refused_and_named",
    ),
    Safeguard(
        "an order that is changed while the run goes on is not trained on",
        f"{TRAINER}/tasks/train.py",
        "    if not task.is_for(order):\n",
        "    if False:\n",
        f"{TRAINING}::test_an_order_that_was_changed_since_it_was_given_is_not_trained_on",
    ),
    Safeguard(
        "metrics that were changed are no fit log",
        f"{TRAINER}/results/fitlog.py",
        "    if sha256 not in (None, hashlib.sha256(content).hexdigest()):\n",
        "    if False:\n",
        "test_export_without_all_metrics.py::test_lost_metrics_leave_the_last_epoch_and_a_note",
    ),
    Safeguard(
        "what is not seen yet makes no order a changed one",
        f"{OPERATOR}/controller/checks.py",
        "        if derived.can_tell(leg):\n",
        "        if True:\n",
        f"{CHANGED}::test_what_is_compared_with_and_not_seen_yet_makes_no_order_a_changed_one",
    ),
    Safeguard(
        "no order is given in the place of one that was removed",
        f"{OPERATOR}/controller/reading.py",
        "    refuse_gaps(folder, ledger)\n",
        "",
        "test_controller_refuses_changed_records.py::test_an_order_that_was_removed_is_named_and_none_is_given_in_its_place",
    ),
    Safeguard(
        "a score is the one of its metrics",
        f"{OPERATOR}/controller/ledger.py",
        "            if expected is not None:\n",
        "            if False:\n",
        f"{CHANGED}::test_a_score_that_its_own_record_does_not_bear_out_is_refused",
    ),
    Safeguard(
        "a worker's trouble is told",
        f"{OPERATOR}/controller/steady.py",
        "if not answer and (words := self.heard()) is not None:",
        "if not answer and (words := None) is not None:",
        f"{STEADY}::test_a_trouble_that_workers_alone_meet_is_said_once",
    ),
    Safeguard(
        "a trouble is not over while a worker may still meet it",
        f"{OPERATOR}/controller/steady.py",
        "if self._told and now - self._calm_since >= enough:",
        "if self._told:",
        f"{STEADY}::test_a_worker_that_looks_again_late_is_not_news",
    ),
    Safeguard(
        "nothing is given in the place of what was removed of a generation that is over",
        f"{OPERATOR}/controller/checks.py",
        "        _refuse_without_end(folder, ledger, place)\n",
        "        pass\n",
        f"{CHANGED}::test_what_was_removed_of_a_generation_that_is_over_is_named_and_nothing_takes_its_place",
    ),
    Safeguard(
        "an order that names what is not over is not gone by",
        f"{OPERATOR}/controller/checks.py",
        "        _refuse_unless_over(folder, ledger, leg)\n",
        "        pass\n",
        f"{CHANGED}::test_an_order_that_names_what_is_not_over_is_refused",
    ),
    Safeguard(
        "settings that no run can have are refused",
        f"{OPERATOR}/controller/ledger.py",
        "            if value < 1:\n",
        "            if False:\n",
        f"{CHANGED}::test_settings_that_no_run_can_have_are_refused",
    ),
    Safeguard(
        "only what this command claimed is forgotten",
        f"{OPERATOR}/cli.py",
        "            if ours:\n                forget(folder)\n",
        "            forget(folder)\n",
        f"{OTHERS}::test_another_run_that_is_being_prepared",
    ),
    Safeguard(
        "a run with members is never forgotten",
        f"{OPERATOR}/local_run.py",
        ' and not (folder.root / "members").exists():\n',
        ":\n",
        f"{OTHERS}::test_a_run_with_members_is_never_forgotten",
    ),
    Safeguard(
        "an owner whose spec was changed is no owner",
        f"{OPERATOR}/local_run.py",
        "    if found.spec_hash != _hash(_deciding(found.spec)):\n",
        "    if False:\n",
        f"{OTHERS}::test_an_owner_whose_spec_was_changed_is_no_owner",
    ),
    Safeguard(
        "what was refused once and mended since is not refused again",
        f"{OPERATOR}/controller/reading.py",
        "        ledger.refused = refused  #",
        "        pass  #",
        f"{DAMAGED}::test_an_input_that_was_mended_long_ago_is_not_refused_again",
    ),
    Safeguard(
        "the time of an outage is not held against a name",
        f"{TRAINER}/patience.py",
        "            if self._refused != refused:\n",
        "            if False:\n",
        f"{PATIENT}::test_a_name_is_waited_for_a_minute_and_a_half_in_which_the_disk_works",
    ),
    Safeguard(
        "what is in the way of results is not taken for them",
        f"{TRAINER}/store.py",
        "                if made.is_dir() and not _is_same_folder(made, self.results):\n",
        "                if False:\n",
        f"{NAMES}::test_what_is_in_the_way_of_results_is_named_and_nothing_is_lost",
    ),
    Safeguard(
        "a command does not wait for calls that hang",
        f"{OPERATOR}/cli.py",
        "        os._exit(code)\n",
        "        pass\n",
        "test_command_ends_while_a_volume_hangs.py::test_the_process_does_not_wait_for_calls_that_hang",
    ),
    Safeguard(
        "a run can be stopped while it is read",
        f"{OPERATOR}/local_run.py",
        "    begun = _Begun(folder, owner, pool)\n",
        "    begun = _Begun(folder, owner, pool, Controller(folder, owner, pool))\n",
        "test_command_ends_while_a_volume_hangs.py"
        "::test_a_run_that_cannot_be_read_for_a_dead_volume_can_be_stopped",
    ),
    Safeguard(
        "there is a little tidying in each turn",
        f"{OPERATOR}/controller/loop.py",
        "            soon = max(until, time.perf_counter() + A_LITTLE)\n",
        "            soon = until\n",
        "test_controller_retention.py"
        "::test_turns_that_have_always_something_to_do_tidy_up_all_the_same",
    ),
    Safeguard(
        "one that is far behind holds up no tidying",
        f"{OPERATOR}/controller/retention.py",
        "(slowest if together else ledger.newest[place[0]])",
        "slowest",
        "test_controller_asynchronous.py::test_one_that_is_far_behind_holds_up_no_tidying",
    ),
    Safeguard(
        "a call that writes a part is not taken for the whole",
        f"{TRAINER}/disk.py",
        "        while rest:\n            rest",
        "        if rest:\n            rest",
        f"{WHOLE}::test_a_call_that_writes_a_part_is_not_taken_for_the_whole",
    ),
    Safeguard(
        "a link to a stale handle is tried again",
        f"{TRAINER}/disk.py",
        "retried(lambda: _link(partial, path))",
        "_link(partial, path)",
        f"{WHOLE}::test_a_handle_that_has_gone_stale_is_tried_again",
    ),
    Safeguard(
        "the sync of a stale folder is tried again",
        f"{TRAINER}/disk.py",
        "    retried(lambda: sync_folder(path.parent))\n",
        "    sync_folder(path.parent)\n",
        f"{WHOLE}::test_a_handle_that_has_gone_stale_is_tried_again",
    ),
    Safeguard(
        "a disk that gives back something else keeps nothing",
        f"{TRAINER}/disk.py",
        "            return file.read() == content\n",
        "            return bool(file.read())\n",
        f"{WHOLE}::test_a_disk_that_gives_back_something_else_keeps_nothing",
    ),
    Safeguard(
        "a folder whose name could not be synced is synced later",
        f"{TRAINER}/disk.py",
        "    if folder.is_dir() and folder not in _NOT_DURABLE:\n",
        "    if folder.is_dir():\n",
        f"{WHOLE}::test_a_folder_whose_name_could_not_be_synced_is_synced_later",
    ),
    Safeguard(
        "a disk that comes back before its trial has no bad sector",
        f"{TRAINER}/tasks/bad_sector.py",
        "                    return read(path)\n                self",
        "                    pass\n                self",
        "test_export_without_all_metrics.py"
        "::test_a_disk_that_comes_back_before_its_trial_has_no_bad_sector",
    ),
    Safeguard(
        "who cannot ask whether a task is still theirs goes on",
        f"{TRAINER}/tasks/train.py",
        "            if not may_pass(error):\n                raise\n            return  #",
        "            raise  #",
        f"{TRAINING}::test_who_cannot_ask_whether_a_task_is_still_theirs_goes_on",
    ),
    Safeguard(
        "first orders of another controller are no gap",
        f"{OPERATOR}/controller/checks.py",
        "        and folder.order(0, 1) is None  #",
        "        #",
        f"{CHANGED}::test_first_orders_of_another_controller_are_no_gap",
    ),
    Safeguard(
        "what somebody is at work on is not forgotten",
        f"{OPERATOR}/controller/retention.py",
        "        and not (leg.attempts and leg.attempts[-1].open)\n",
        "",
        f"{NEEDED}::test_what_somebody_is_at_work_on_is_not_forgotten",
    ),
    Safeguard(
        "an attempt that another controller has made is not given up",
        f"{OPERATOR}/controller/act.py",
        "                if counts != task:  # another controller has it made\n",
        "                if False:\n",
        f"{NEEDED}::test_an_attempt_that_another_controller_has_made_is_not_given_up",
    ),
    Safeguard(
        "a status that cannot be read holds up nobody",
        f"{OPERATOR}/pools/local.py",
        "            if not may_pass(error):\n                raise\n            return time",
        "            raise\n            return time",
        "test_controller_local_workers.py::test_a_status_that_cannot_be_read_holds_up_nobody",
    ),
)
