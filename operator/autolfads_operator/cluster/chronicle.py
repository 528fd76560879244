"""What becomes of each member, a line each in the operator's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from autolfads_operator.view.picture import MemberPicture, Picture
from autolfads_operator.view.tell import printable

LONGEST_WORDS = 300  # characters of a reason: a worker may have written it

log = logging.getLogger("autolfads.run")


class Chronicle:
    """Tells what is new of the members of one run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._before: Picture | None = None

    def note(self, now: Picture) -> None:
        """Log what is new since the last picture; what the first one shows was told long ago."""
        before, self._before = self._before, now
        if before is None:
            return
        for member, words in news_between(before, now):
            about = {"run": self._run, "generation": member.generation, "member": member.member}
            said = printable(words)[:LONGEST_WORDS]
            log.info("member %d, generation %d: %s", member.member, member.generation, said,
                     extra=about)  # fmt: skip


def news_between(before: Picture, now: Picture) -> Iterator[tuple[MemberPicture, str]]:
    """Yield what has become of members, in words."""
    known = {member.member: member for member in before.members}
    for member in now.members:
        old = known.get(member.member)
        if old is None or old.generation != member.generation:
            yield member, f"begins: {member.why}"
        elif member.state == "lost" != old.state:
            yield member, f"is lost: {member.reason or 'no word why'}"
        elif member.attempts > old.attempts > 0:
            yield member, f"attempt {member.attempts}"
        elif member.state == "finished" != old.state:
            score = "no score" if member.score is None else f"score {member.score:.6g}"
            yield member, f"finished: {score}"
