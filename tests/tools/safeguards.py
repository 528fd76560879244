"""The safeguards of a run, each with the change that turns it off and the tests that must notice.

A name, a file below the repository, the text that makes the safeguard, what stands there without
it, and tests of which at least one fails then.
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
    tests: tuple[str, ...]


WHOLE = "test_run_directory_files_are_whole.py"
FIRST = "test_run_directory_first_writer_wins.py"
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
HOSTILE = "test_hostile_recordings.py"

SAFEGUARDS = (
    # A file is complete before it has its name.
    Safeguard(
        "content is synced",
        f"{TRAINER}/disk.py",
        "            rest = rest[os.write(handle, rest) :]\n        os.fsync(handle)\n",
        "            rest = rest[os.write(handle, rest) :]\n",
        (WHOLE,),
    ),
    Safeguard(
        "the folder is synced after a replacement",
        f"{TRAINER}/disk.py",
        "        forget(partial)\n    sync_folder(path.parent)\n",
        "        forget(partial)\n",
        (WHOLE,),
    ),
    Safeguard(
        "the folder is synced after a creation",
        f"{TRAINER}/disk.py",
        "    retried(lambda: sync_folder(path.parent))\n    return new\n",
        "    return new\n",
        (WHOLE,),
    ),
    Safeguard(
        "a file is written under a temporary name",
        f"{TRAINER}/disk.py",
        "    partial = temporary(path)\n    try:\n        write(partial)\n        _take_name(",
        "    partial = path\n    try:\n        write(partial)\n        _take_name(",
        (WHOLE,),
    ),
    # What decides is created once.
    Safeguard(
        "a record is created exclusively",
        f"{TRAINER}/disk.py",
        "        os.link(partial, path)\n",
        "        os.replace(partial, path)\n",
        (FIRST,),
    ),
    Safeguard(
        "what was created is read back",
        f"{TRAINER}/store.py",
        "        return read(path, type(record))\n    except FileNotFoundError:",
        "        return record\n    except FileNotFoundError:",
        (FIRST,),
    ),
    Safeguard(
        "a link that reports an error may have succeeded",
        f"{TRAINER}/disk.py",
        "        if not path.exists():\n            raise\n        return False\n",
        "        raise\n",
        (FIRST,),
    ),
    Safeguard(
        "a rename that reports an error may have succeeded",
        f"{TRAINER}/disk.py",
        "        if not _is_file(path, ours):\n            raise\n",
        "        raise\n",
        (FIRST,),
    ),
    Safeguard(
        "a name that another made and is not seen yet is waited for",
        f"{TRAINER}/store.py",
        "        raise NotVisibleYetError(",
        "        raise FileNotFoundError(",
        (FIRST,),
    ),
    # Plans, orders and controllers that come and go.
    Safeguard(
        "orders that an earlier controller did not come to give are given",
        f"{OPERATOR}/controller/orders.py",
        "    due = [m for m in range(run.population) if ledger.newest[m] < newest]\n",
        "    due = list(range(run.population)) if newest > ledger.generation else []\n",
        (SURVIVES,),
    ),
    Safeguard(
        "an idle worker is reminded of its task",
        f"{OPERATOR}/controller/reminders.py",
        "            if ours(task.worker) or now",
        "            if not ours(task.worker) and now",
        (SURVIVES, "test_controller_survives_in_a_cluster.py"),
    ),
    Safeguard(
        "another controller's task stays with its worker",
        f"{OPERATOR}/controller/act.py",
        "    if counts != task:\n        return counts, folder.outcome(counts.folder)\n",
        "",
        ("test_controller_two_at_once.py",),
    ),
    Safeguard(
        "the last turn tidies up whatever it takes",
        f"{OPERATOR}/controller/loop.py",
        "            self._tidier.tidy(self.ledger)\n        elif",
        "            self._tidier.tidy(self.ledger, until)\n        elif",
        ("test_controller_retention.py",),
    ),
    Safeguard(
        "a worker whose controller stopped is pointed to its task",
        f"{OPERATOR}/controller/reminders.py",
        "            if ours(task.worker) or now - self._since[task.folder] > self.patience:",
        "            if ours(task.worker):",
        ("test_controller_two_at_once.py",),
    ),
    Safeguard(
        "a worker is not pointed to what it has done",
        f"{OPERATOR}/controller/reminders.py",
        "if sure or self.folder.outcome(task.folder) is None:",
        "if True:",
        ("test_controller_two_at_once.py",),
    ),
    Safeguard(
        "a full disk is not taken for dead workers",
        f"{OPERATOR}/controller/loop.py",
        "        self._ask_the_disk(lives, now)\n",
        "",
        (SIGNS,),
    ),
    Safeguard(
        "tasks go only to workers that have shown life",
        f"{OPERATOR}/controller/loop.py",
        "if life in self.statuses and life not in busy]",
        "if life not in busy]",
        (SURVIVES,),
    ),
    # Workers that die, hang and come back.
    Safeguard(
        "a worker that is gone is given up",
        f"{OPERATOR}/controller/loop.py",
        "        self._give_up_the_dead(lives, now)\n        if self.ledger.refused",
        "        if self.ledger.refused",
        (SURVIVES,),
    ),
    Safeguard(
        "a silent worker is dropped",
        f"{OPERATOR}/controller/loop.py",
        "            self.pool.drop(life)\n            self._dropped.add(life)\n",
        "            pass\n",
        ("test_controller_drops_silent_workers.py",),
    ),
    Safeguard(
        "workers of another controller are left alone while they move",
        f"{OPERATOR}/controller/loop.py",
        "if life in alive or (life in strangers and life not in gone):",
        "if life in alive:",
        (SIGNS,),
    ),
    Safeguard(
        "a time without turns is not held against workers",
        f"{OPERATOR}/controller/loop.py",
        "            self.vitals.hold(now - self._last_turn)\n",
        "",
        (SIGNS,),
    ),
    Safeguard(
        "an abandoned attempt names what was saved",
        f"{OPERATOR}/controller/observe.py",
        "            checkpoint=name if saved else None,\n",
        "            checkpoint=None,\n",
        (SURVIVES,),
    ),
    Safeguard(
        "an abandoned attempt names only its own saves",
        f"{OPERATOR}/controller/observe.py",
        "return status.saved if status.saved in ours else None",
        "return status.saved",
        (SIGNS,),
    ),
    Safeguard(
        "a task that has an outcome is not done",
        f"{TRAINER}/worker.py",
        "        if self.patience(lambda: self.folder.outcome(folder)) is not None:\n"
        "            raise TaskGone(folder)  # had by another, or given up\n",
        "",
        (WORKER,),
    ),
    Safeguard(
        "a worker that finds another outcome leaves",
        f"{TRAINER}/worker.py",
        "        if counts.model_dump_json() != outcome.model_dump_json():\n"
        "            raise TaskGone(folder)\n",
        "",
        (WORKER,),
    ),
    Safeguard(
        "another life's task is not done",
        f"{TRAINER}/worker.py",
        "if task is None or task.worker != self.life:",
        "if task is None:",
        (WORKER,),
    ),
    Safeguard(
        "a worker looks whether its task is still its own before it saves",
        f"{TRAINER}/tasks/train.py",
        "        self._check_still_ours()\n        if not self.announced:\n",
        "        if not self.announced:\n",
        (TRAINING,),
    ),
    Safeguard(
        "saves take turns under two names",
        f"{TRAINER}/store.py",
        "checkpoint-{2 - number % 2}.ckpt",
        "checkpoint-1.ckpt",
        (TRAINING,),
    ),
    # Damage.
    Safeguard(
        "a checkpoint's checksum is compared",
        f"{TRAINER}/tasks/start.py",
        "if task.start_sha256 is not None and found != task.start_sha256:",
        "if False:",
        (TRAINING,),
    ),
    Safeguard(
        "a damaged checkpoint is not asked for again",
        f"{OPERATOR}/controller/ledger.py",
        "            self.damaged.add(outcome.damaged)\n",
        "            pass\n",
        (DAMAGED,),
    ),
    Safeguard(
        "damage is not held against a member",
        f"{OPERATOR}/controller/attempts.py",
        "        if outcome.damaged is not None:\n            continue\n",
        "",
        (ATTEMPTS,),
    ),
    Safeguard(
        "an end that is damaged as often as it is made is given up",
        f"{OPERATOR}/controller/attempts.py",
        " or finished >= MAX_FINISHED\n",
        "\n",
        (ATTEMPTS,),
    ),
    Safeguard(
        "a bad sector under a checkpoint is damage",
        f"{TRAINER}/tasks/start.py",
        "            if now - self.since >= UNREADABLE and is_kept(self.path.parent):\n",
        "            if now - self.since >= 2 * UNREADABLE:\n",
        (TRAINING,),
    ),
    Safeguard(
        "a disk that fails as a whole blames no checkpoint",
        f"{TRAINER}/tasks/start.py",
        " and is_kept(self.path.parent):\n",
        ":\n",
        (TRAINING,),
    ),
    Safeguard(
        "what a start was made from is kept",
        f"{OPERATOR}/controller/retention.py",
        "            yield from _chain(ledger, leg.order.parent)\n",
        "            yield leg.order.parent\n",
        (DAMAGED,),
    ),
    Safeguard(
        "what cannot be made again is given up",
        f"{OPERATOR}/controller/plan.py",
        "            yield GiveUp(_given_up(leg), _damage_beyond_repair(start))\n",
        "            pass\n",
        (DAMAGED,),
    ),
    # Bounds.
    Safeguard(
        "attempts are used up",
        f"{OPERATOR}/controller/attempts.py",
        "failed >= MAX_FAILED or abandoned >= MAX_ABANDONED",
        "False",
        (ATTEMPTS,),
    ),
    Safeguard(
        "checkpoints that nobody needs are removed",
        f"{OPERATOR}/controller/tidy.py",
        ' and self.folder.remove(f"{place}/{name}"):',
        ":",
        ("test_controller_retention.py",),
    ),
    Safeguard(
        "old generations are forgotten",
        f"{OPERATOR}/controller/tidy.py",
        "            del ledger.legs[leg.place]\n",
        "",
        ("test_controller_reads_little.py",),
    ),
    Safeguard(
        "the disk's room is looked at before the start",
        f"{TRAINER}/tasks/prepare.py",
        "    _refuse_too_small_a_disk(context.folder.root, disk, data_bytes if relative else 0)\n",
        "",
        ("test_disk_use_is_told_and_checked.py",),
    ),
    # Disks.
    Safeguard(
        "a turn that a disk failed is taken again",
        f"{OPERATOR}/controller/steady.py",
        "if isinstance(answer, OSError) and may_pass(answer):",
        "if False:",
        (STEADY,),
    ),
    Safeguard(
        "a hanging turn is told",
        f"{OPERATOR}/controller/steady.py",
        '            self._tell("the volume does not answer")\n',
        "            pass\n",
        (STEADY,),
    ),
    Safeguard(
        "an outcome waits for the disk",
        f"{TRAINER}/worker.py",
        "        counts = self.patience(lambda: self.folder.settle(folder, outcome))\n",
        "        counts = self.folder.settle(folder, outcome)\n",
        (WORKER,),
    ),
    Safeguard(
        "a task that is announced is waited for",
        f"{TRAINER}/worker.py",
        "self.patience.announced(lambda: self.folder.task(folder))",
        "self.folder.task(folder)",
        (WORKER,),
    ),
    Safeguard(
        "a status that cannot be written stops nobody",
        f"{TRAINER}/worker.py",
        "        except OSError as error:  # it decides nothing: the next one will do\n"
        "            if not may_pass(error):\n                raise\n",
        "        finally:\n            pass\n",
        (WORKER,),
    ),
    Safeguard(
        "a save that the disk refuses does not stop training",
        f"{TRAINER}/tasks/train.py",
        "            self.context.patience.note(error)\n            return min(",
        "            raise\n            return min(",
        (TRAINING,),
    ),
    Safeguard(
        "the last save of a generation waits for the disk",
        f"{TRAINER}/tasks/train.py",
        "                self.context.patience(self.save)\n",
        "                self.save()\n",
        (TRAINING,),
    ),
    Safeguard(
        "the volume is tried: hard links",
        f"{TRAINER}/volume.py",
        '        ("hard link", lambda: _links(first, second)),\n',
        "",
        (VOLUME,),
    ),
    Safeguard(
        "the volume is tried: exclusive creation",
        f"{TRAINER}/volume.py",
        '        ("exclusive creation", lambda: _refuses_to_overwrite(first, second)),\n',
        "",
        (VOLUME,),
    ),
    Safeguard(
        "the volume is tried: rename",
        f"{TRAINER}/volume.py",
        '        ("rename", lambda: _replaces(first, second)),\n',
        "",
        (VOLUME,),
    ),
    Safeguard(
        "the volume is tried: fsync of a folder",
        f"{TRAINER}/volume.py",
        '        ("fsync of a folder", lambda: sync_folder(root)),\n',
        "",
        (VOLUME,),
    ),
    # Hostile files.
    Safeguard(
        "a record leads nowhere out of the folder",
        f"{TRAINER}/store.py",
        'or ".." in name.parts ',
        "",
        (NAMES, "test_hostile_records.py"),
    ),
    Safeguard(
        "links in the folder are refused",
        f"{TRAINER}/store.py",
        "    if found:\n        raise StoreError(",
        "    if False:\n        raise StoreError(",
        (NAMES, "test_hostile_records.py"),
    ),
    Safeguard(
        "only plain files are read as records",
        f"{TRAINER}/disk.py",
        "        if not stat.S_ISREG(os.fstat(handle).st_mode):\n",
        "        if False:\n",
        (RECORDS, "test_hostile_records.py"),
    ),
    Safeguard(
        "a record has a bound",
        f"{TRAINER}/store.py",
        '    if len(content) > MAX_JSON_BYTES:\n        raise StoreError(f"{path}: has',
        '    if False:\n        raise StoreError(f"{path}: has',
        (RECORDS, "test_hostile_records.py"),
    ),
    Safeguard(
        "an outcome names checkpoints of its own attempt only",
        f"{OPERATOR}/controller/ledger.py",
        'not checkpoint.startswith(f"{task.folder}/checkpoint")',
        "False",
        (ATTEMPTS,),
    ),
    Safeguard(
        "a record is no link",
        f"{TRAINER}/disk.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
        (NAMES,),
    ),
    Safeguard(
        "results are not published through a link",
        f"{TRAINER}/store.py",
        "        _refuse_link(self.results)\n",
        "",
        (NAMES,),
    ),
    Safeguard(
        "the folder is synced when results have their name",
        f"{TRAINER}/store.py",
        "            sync_folder(self.root)\n",
        "",
        (NAMES,),
    ),
    Safeguard(
        "an order is for its place",
        f"{TRAINER}/store.py",
        "    if (order.member, order.generation) != (member, generation):\n",
        "    if False:\n",
        (NAMES,),
    ),
    Safeguard(
        "a task is for its folder",
        f"{TRAINER}/store.py",
        "    if task.folder != folder or",
        "    if False and",
        (NAMES,),
    ),
    Safeguard(
        "a log is not written through a link",
        f"{OPERATOR}/pools/local.py",
        'self.folder.path(f"workers/{life}.log")',
        'self.folder.root / f"workers/{life}.log"',
        ("test_controller_local_workers.py",),
    ),
    Safeguard(
        "no save is written before the one before is told of",
        f"{TRAINER}/tasks/train.py",
        "        if not self.announced:\n            self._announce()\n",
        "        if False:\n            self._announce()\n",
        (TRAINING,),
    ),
    Safeguard(
        "a save is told of surely",
        f"{TRAINER}/worker.py",
        "            self.folder.announce(self.life, self.status)\n",
        "            self.folder.report(self.life, self.status)\n",
        (WORKER,),
    ),
    Safeguard(
        "a log has a bound",
        f"{TRAINER}/worker_log.py",
        "        if self.left <= 0:\n            return\n",
        "",
        ("test_worker_log.py",),
    ),
    Safeguard(
        "the reason in an outcome has a bound",
        f"{TRAINER}/worker.py",
        'Outcome(outcome="failed", reason=shortened(reason))',
        'Outcome(outcome="failed", reason=reason)',
        (WORKER,),
    ),
    Safeguard(
        "the volume of a run that is gone on with is tried",
        f"{TRAINER}/volume.py",
        "    if not (in_use and may_pass(error)):\n",
        "    if not in_use:\n",
        (VOLUME,),
    ),
    Safeguard(
        "what workers leave that come back is removed",
        f"{OPERATOR}/controller/tidy.py",
        " or place in self._again:",
        ":",
        ("test_controller_retention_of_broken_attempts.py",),
    ),
    Safeguard(
        "no order is given in the place of one that was removed",
        f"{OPERATOR}/controller/reading.py",
        "    _refuse_gaps(folder, ledger)\n",
        "",
        ("test_controller_refuses_changed_records.py",),
    ),
    Safeguard(
        "a score is the one of its metrics",
        f"{OPERATOR}/controller/ledger.py",
        "        if other is not None:\n",
        "        if False:\n",
        ("test_controller_refuses_changed_records.py",),
    ),
    Safeguard(
        "a worker's trouble is told",
        f"{OPERATOR}/controller/steady.py",
        "if not answer and (words := self.heard()) is not None:",
        "if not answer and (words := None) is not None:",
        (STEADY,),
    ),
    Safeguard(
        "a trouble is not over while a worker may still meet it",
        f"{OPERATOR}/controller/steady.py",
        "if self._told and now - self._calm_since >= enough:",
        "if self._told:",
        (STEADY,),
    ),
)
