"""What the leader knows of the log, so that it looks only where something may have appeared since it last looked.

The argument is in docs/decisions/0010-positions.md. Knows no database."""

from typing import NamedTuple

from hub.db.change_positions import AssignedBatch, XidWatermark

MAX_BIGINT = 2**63 - 1


class Snapshot(NamedTuple):
    """Who had not ended: those numbered `xmax` or more, and those named."""

    xmax: int
    in_progress: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """From the text of a pg_snapshot, `xmin:xmax:xid,xid`; its numbers have 64 bits and never wrap."""
        _, xmax, names = text.split(":")
        return cls(int(xmax), tuple(sorted(int(xid) for xid in names.split(",") if xid)))


class Watermark:
    """Where the log is settled, and the watermarks between there and its end."""

    def __init__(self, settled: int) -> None:
        self.settled = settled  # ids up to here have a position, or will never appear
        self.snapshot: str | None = None  # of the last move
        self.fully_assigned_to = MAX_BIGINT  # what that snapshot shows up to here has a position
        self.xid_watermarks: list[XidWatermark] = []  # ascending, all above `settled`

    @property
    def last_covered_id(self) -> int:
        """The last id that needs no watermark any more."""
        return self.xid_watermarks[-1].id if self.xid_watermarks else self.settled

    def update(self, batch: AssignedBatch, limit: int) -> None:
        """Takes in what a move saw and did."""
        snapshot = Snapshot.parse(batch.snapshot)
        self.snapshot = batch.snapshot
        self.fully_assigned_to = batch.last if batch.changes == limit and batch.last is not None else MAX_BIGINT
        oldest_xid = snapshot.in_progress[0] if snapshot.in_progress else snapshot.xmax
        for watermark in self.xid_watermarks:
            if watermark.xid < oldest_xid and watermark.id <= self.fully_assigned_to:
                self.settled = watermark.id
        if batch.xid is not None and batch.drawn > self.last_covered_id:
            self.xid_watermarks.append(XidWatermark(batch.drawn, batch.xid))
        self.xid_watermarks = [
            watermark for watermark in _needed_watermarks(self.xid_watermarks, snapshot) if watermark.id > self.settled
        ]


def _needed_watermarks(watermarks: list[XidWatermark], snapshot: Snapshot) -> list[XidWatermark]:
    """For each that may yet end, the last watermark before it: the others tell nothing more, and would pile up for days."""
    needed: list[XidWatermark] = []
    for xid in (*snapshot.in_progress, snapshot.xmax, MAX_BIGINT):
        earlier = [watermark for watermark in watermarks if watermark.xid < xid]
        if earlier and earlier[-1] not in needed:
            needed.append(earlier[-1])
    return needed
