"""The leader's watermark over the change log: each batch scans only ids that may have become visible since the last one.

docs/decisions/0010-positions.md has the proof. Does not access the database."""

from typing import NamedTuple

from hub.db.change_positions import AssignedBatch, XidWatermark

MAX_BIGINT = 2**63 - 1


class Snapshot(NamedTuple):
    """The transactions that had not ended: ids from `xmax` on, and those in `in_progress`."""

    xmax: int
    in_progress: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """Parses the text of a pg_snapshot, `xmin:xmax:xid,xid`. Its ids have 64 bits and never wrap."""
        _, xmax, in_progress = text.split(":")
        return cls(int(xmax), tuple(sorted(int(xid) for xid in in_progress.split(",") if xid)))


class Watermark:
    """The log id below which everything is settled, and the transaction-id watermarks above it."""

    def __init__(self, settled: int) -> None:
        self.settled = settled  # ids up to here have a position or will never become visible
        self.snapshot: str | None = None  # of the last batch
        self.fully_assigned_to = MAX_BIGINT  # rows up to this id that the snapshot shows have a position
        self.xid_watermarks: list[XidWatermark] = []  # ascending, all above `settled`

    @property
    def last_covered_id(self) -> int:
        """The last log id that a watermark covers."""
        return self.xid_watermarks[-1].id if self.xid_watermarks else self.settled

    def update(self, batch: AssignedBatch, limit: int) -> None:
        """Advances the watermark by the result of a batch."""
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
    """Returns, for each open transaction, the last watermark before it. The others are redundant and would accumulate."""
    needed: list[XidWatermark] = []
    for xid in (*snapshot.in_progress, snapshot.xmax, MAX_BIGINT):
        earlier = [watermark for watermark in watermarks if watermark.xid < xid]
        if earlier and earlier[-1] not in needed:
            needed.append(earlier[-1])
    return needed
