"""The volume that other tests break is a good disk without rules, and goes away when told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from mounts import mounted, need_fuse
from run_directory_examples import listing
from trying import PATIENCE_SECONDS, said, sync, wait_until

from autolfads_trainer.disk import write_bytes
from autolfads_trainer.volume import check_volume


def test_what_is_written_is_in_the_source_folder(volume, here):
    write_bytes(here / "a", b"content")

    assert (volume.source / here.name / "a").read_bytes() == b"content"
    assert listing(here) == ["a"]
    check_volume(here)


def test_what_exists_is_neither_created_nor_linked_over(here):
    (here / "a").write_text("first")
    (here / "b").write_text("second")
    (here / "leads").symlink_to("a")

    assert said(lambda: os.link(here / "b", here / "a")) == "EEXIST"
    assert said(lambda: (here / "a").open("x")) == "EEXIST"
    assert said(lambda: os.open(here / "leads", os.O_RDONLY | os.O_NOFOLLOW)) == "ELOOP"
    assert (here / "leads").read_text() == "first"
    assert (here / "leads").readlink() == Path("a")


def test_of_many_who_create_a_name_at_once_one_does(here):
    together = threading.Barrier(16)
    made: list[int] = []

    def create(number: int) -> None:
        together.wait()
        if not said(lambda: (here / "one").open("x").close()):
            made.append(number)

    threads = [threading.Thread(target=create, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1


def test_links_are_one_file(here):
    (here / "a").write_text("first")
    os.link(here / "a", here / "b")
    with (here / "b").open("a") as file:
        file.write(", more")

    assert (here / "a").read_text() == "first, more"
    assert (here / "a").samefile(here / "b")
    assert (here / "a").stat().st_nlink == 2


def test_a_name_that_is_replaced_is_never_missing_nor_half_full(here):
    (here / "a").write_bytes(bytes(1000))
    done = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not done.is_set():
            try:
                with (here / "a").open("rb") as file:
                    sizes = {len(file.read()), os.fstat(file.fileno()).st_size}
                    sizes.add((here / "a").stat().st_size)
            except OSError as error:
                wrong.append(error)
            else:
                wrong.extend(sizes - {1000})

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(300):
        (here / "new").write_bytes(bytes([number % 256]) * 1000)
        (here / "new").replace(here / "a")
    done.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert set((here / "a").read_bytes()) == {299 % 256}


def test_an_open_file_outlives_its_name(here):
    (here / "a").write_text("content")
    with (here / "a").open("r+") as file:
        (here / "a").unlink()

        assert file.read() == "content"
        assert os.fstat(file.fileno()).st_nlink == 0
        file.write(" and more")
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        assert file.read() == "content and more"
    assert listing(here) == []


def test_sizes_modes_and_times_are_kept(here):
    content = os.urandom(3_000_001)
    (here / "a").write_bytes(content)
    shutil.copyfile(here / "a", here / "b")
    assert (here / "b").read_bytes() == content

    os.truncate(here / "b", 10)
    with (here / "b").open("r+b") as file:
        file.truncate(5)
    (here / "b").chmod(0o640)
    os.utime(here / "b", ns=(1_000_000_007, 2_000_000_009))
    found = (here / "b").stat()

    assert (here / "b").read_bytes() == content[:5]
    assert found.st_mode & 0o777 == 0o640
    assert (found.st_atime_ns, found.st_mtime_ns) == (1_000_000_007, 2_000_000_009)
    with (here / "b").open("w"):
        pass
    assert (here / "b").stat().st_size == 0
    before = os.umask(0o026)
    try:
        (here / "c").touch()
    finally:
        os.umask(before)
    assert (here / "c").stat().st_mode & 0o777 == 0o640


def test_folders_are_listed_renamed_and_removed(here):
    names = [f"{number:04d}-a-name-of-some-length" for number in range(1000)]
    (here / "many").mkdir()
    for name in names:
        (here / "many" / name).touch()

    assert listing(here / "many") == names
    assert said((here / "many").rmdir) == "ENOTEMPTY"
    (here / "many").rename(here / "renamed")
    assert listing(here / "renamed") == names
    sync(here)
    shutil.rmtree(here / "renamed")
    assert listing(here) == []


def test_a_volume_that_goes_away_lets_go_of_who_hangs_in_it(tmp_path):
    (tmp_path / "source").mkdir()
    script = "import sys; open(sys.argv[1], 'w')"
    with mounted(tmp_path / "source", tmp_path / "volume") as volume:
        volume.faults([{"op": "create", "hang": True, "after": True}])
        hanging = subprocess.Popen(
            [sys.executable, "-c", script, volume.path / "a"], stderr=subprocess.DEVNULL
        )
        volume.wait_for_hit()
        hanging.send_signal(signal.SIGKILL)  # which it cannot hear: it waits for the volume

    assert hanging.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert not os.path.ismount(tmp_path / "volume")


def test_a_volume_goes_away_from_under_an_open_file(tmp_path):
    (tmp_path / "source").mkdir()
    with mounted(tmp_path / "source", tmp_path / "volume") as volume:
        (volume.path / "a").write_text("content")
        handle = os.open(volume.path / "a", os.O_RDONLY)

    assert said(lambda: os.read(handle, 1)) == "ENOTCONN"
    assert said(lambda: os.close(handle)) == "ENOTCONN"


def test_a_volume_whose_program_was_killed_takes_itself_away(tmp_path):
    need_fuse()
    (tmp_path / "source").mkdir()
    script = (
        "import os, signal, sys; from pathlib import Path; from mounts import Volume;"
        "Volume(Path(sys.argv[1]), Path(sys.argv[2]), 0, 0); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "source", tmp_path / "volume"],
        cwd=Path(__file__).parent,
        check=False,
    )

    assert (tmp_path / "volume.faults.json.log").exists()
    wait_until(lambda: not said((tmp_path / "volume").rmdir))
