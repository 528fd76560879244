"""What the cluster holds, from events in any order and full lists that put them right."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autolfads_operator.cluster.mirror import Mirror, Shelf


def body(uid: str, version: int, run: str = "r") -> dict[str, Any]:
    return {
        "metadata": {
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {"autolfads.io/run-uid": run},
        }
    }


def version(shelf: Shelf, uid: str) -> int:
    return int(shelf.objects[uid]["metadata"]["resourceVersion"])


def test_the_newest_version_counts_whatever_comes_first() -> None:
    shelf = Shelf()
    assert shelf.note(body("a", 2))
    assert not shelf.note(body("a", 1))
    assert not shelf.note(body("a", 2))
    assert shelf.note(body("a", 3))
    assert version(shelf, "a") == 3


def test_what_was_deleted_does_not_come_back_with_an_old_event() -> None:
    shelf = Shelf()
    shelf.note(body("a", 2))
    assert shelf.note(body("a", 3), deleted=True)
    assert not shelf.note(body("a", 4))
    assert shelf.objects == {}
    assert shelf.of_run("r") == []


def test_a_full_list_removes_what_vanished_without_an_event() -> None:
    shelf = Shelf()
    shelf.note(body("a", 2, "first"))
    shelf.note(body("b", 2, "second"))
    assert shelf.replace([body("b", 2, "second")], 5) == {"first"}
    assert shelf.of_run("first") == []
    assert [each["metadata"]["uid"] for each in shelf.of_run("second")] == ["b"]


def test_a_full_list_that_is_older_than_an_object_says_nothing_of_it() -> None:
    shelf = Shelf()
    shelf.note(body("a", 9))
    assert shelf.replace([], 8) == set()
    assert version(shelf, "a") == 9


def test_a_full_list_brings_what_no_event_brought() -> None:
    shelf = Shelf()
    shelf.note(body("a", 2))
    assert shelf.replace([body("a", 4), body("b", 3, "other")], 5) == {"r", "other"}
    assert version(shelf, "a") == 4
    assert shelf.replace([body("a", 4), body("b", 3, "other")], 6) == set()


def test_what_fills_memory_and_decides_nothing_is_left_out() -> None:
    pod = body("a", 2) | {"spec": {"nodeName": "n", "containers": [{}]}, "status": {"phase": "x"}}
    pod["metadata"]["managedFields"] = [{}]
    pods = Mirror().pods
    pods.note(pod)
    (kept,) = pods.of_run("r")
    assert kept["spec"] == {"nodeName": "n"}
    assert kept["status"] == {"phase": "x"}
    assert "managedFields" not in kept["metadata"]


HISTORY = st.lists(st.sampled_from(["make", "change", "delete"]), max_size=12)


@given(HISTORY, st.randoms(use_true_random=False), st.data())
def test_after_a_full_list_all_is_as_it_is_there(
    history: list[str], random: Any, data: st.DataObject
) -> None:
    """Events of a history, some lost and in any order, and then a list: nothing else counts."""
    there: dict[str, dict[str, Any]] = {}
    events: list[tuple[dict[str, Any], bool]] = []
    now = 1
    for number, what in enumerate(history):
        now += 1
        if what == "make":
            there[f"u{number}"] = body(f"u{number}", now)
            events.append((there[f"u{number}"], False))
        elif there:
            uid = sorted(there)[number % len(there)]
            changed = body(uid, now)
            events.append((changed, what == "delete"))
            if what == "delete":
                del there[uid]
            else:
                there[uid] = changed
    shelf = Shelf()
    random.shuffle(events)
    for event, deleted in events[: data.draw(st.integers(0, len(events)))]:
        shelf.note(event, deleted=deleted)
    shelf.replace(there.values(), now)
    assert shelf.objects == there
    assert {each["metadata"]["uid"] for each in shelf.of_run("r")} == there.keys()
