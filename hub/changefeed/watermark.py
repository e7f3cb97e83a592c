"""What the leader knows of the log, so that it looks only where something may have appeared since it last looked.

The argument is in docs/decisions/0010-positions.md. Knows no database."""

from typing import NamedTuple

from hub.db.change_positions import Mark, Moved

MOST = 2**63 - 1


class Snapshot(NamedTuple):
    """Who had not ended: those numbered `below` or more, and those named."""

    below: int
    open: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> "Snapshot":
        """From the text of a pg_snapshot, `xmin:xmax:xid,xid`; its numbers have 64 bits and never wrap."""
        _, xmax, names = text.split(":")
        return cls(int(xmax), tuple(sorted(int(each) for each in names.split(",") if each)))


class Horizon:
    """Where the log is settled, and the marks between there and its end."""

    def __init__(self, settled: int) -> None:
        self.settled = settled  # ids up to here have a position, or will never appear
        self.snapshot: str | None = None  # of the last move
        self.reached = MOST  # what that snapshot shows up to here has a position
        self.marks: list[Mark] = []  # ascending, all above `settled`

    @property
    def marked(self) -> int:
        """The last id that needs no mark any more."""
        return self.marks[-1].id if self.marks else self.settled

    def learn(self, moved: Moved, limit: int) -> None:
        """Takes in what a move saw and did."""
        seen = Snapshot.of(moved.snapshot)
        self.snapshot = moved.snapshot
        self.reached = moved.last if moved.changes == limit and moved.last is not None else MOST
        oldest = seen.open[0] if seen.open else seen.below
        for mark in self.marks:
            if mark.xid < oldest and mark.id <= self.reached:
                self.settled = mark.id
        if moved.xid is not None and moved.drawn > self.marked:
            self.marks.append(Mark(moved.drawn, moved.xid))
        self.marks = [each for each in _telling(self.marks, seen) if each.id > self.settled]


def _telling(marks: list[Mark], seen: Snapshot) -> list[Mark]:
    """For each that may yet end, the last mark before it: the others tell nothing more, and would pile up for days."""
    kept: list[Mark] = []
    for bound in (*seen.open, seen.below, MOST):
        before = [each for each in marks if each.xid < bound]
        if before and before[-1] not in kept:
            kept.append(before[-1])
    return kept
