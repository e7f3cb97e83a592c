"""Verifies the audit log: recomputes every digest and names the first entry that is not as it was chained.

A tail that was cut together with the head looks like a shorter log: only a digest that was stored elsewhere reveals it."""

import hashlib
import hmac
from typing import Any, NamedTuple

import orjson

from hub.changefeed.audit_chain import block_key, checkpoint_seal
from hub.db import audit_log
from hub.db.audit_log import BLOCK, GENESIS, AuditHead
from hub.db.pool import Connection

PAGE = 1_000  # entries read at once
DIGEST_BYTES = 32
ERASED_MARK = "~"  # before the digest of an erased row's id


class ChainVerification(NamedTuple):
    """The result: the first and last entry that were verified, the last digest, how many contents are erased.

    `fault` says what is wrong with the first bad entry, `number`; it is empty if nothing is."""

    first: int
    last: int
    digest: bytes
    erased: int
    number: int | None = None
    fault: str = ""


class _Fault(Exception):
    """The entry of this number is not as it was chained."""

    def __init__(self, number: int, fault: str) -> None:
        super().__init__(fault)
        self.number, self.fault = number, fault


async def verify(
    connection: Connection, audit_key: bytes, *, start: int | None = None, expected: bytes | None = None
) -> ChainVerification:
    """Verifies the log from its beginning, or from the entry after `start`, whose stored digest is trusted then.

    `expected` is a digest that was printed before: the log must contain it. The caller's transaction must be a snapshot."""
    verifier = _Verifier(audit_key, expected)
    try:
        await verifier.open(connection, start)
        while rows := await audit_log.read_entries(connection, verifier.last.number, PAGE):
            for row in rows:
                verifier.check(row)
        await verifier.end(connection)
    except _Fault as bad_entry:
        return verifier.result(bad_entry.number, bad_entry.fault)
    return verifier.result()


def _row_digest(salt: str, row_id: str) -> str:
    """The digest of a row's id in a target: what is left of it once it is erased."""
    if row_id.startswith(ERASED_MARK):
        return row_id.removeprefix(ERASED_MARK)
    return hashlib.sha256(f"{salt}{row_id}".encode()).hexdigest()


class _Verifier:
    def __init__(self, audit_key: bytes, expected: bytes | None) -> None:
        self._audit_key = audit_key
        self._expected = expected
        self._expected_seen = expected is None or expected == GENESIS
        self._key = b""
        self._key_block = -1
        self._last_erased = 0  # the last number with erased contents
        self._last_erasure = 0  # the last number that records an erasure
        self._erased = 0
        self._first = 1
        self.last = AuditHead(0, GENESIS)

    def result(self, number: int | None = None, fault: str = "") -> ChainVerification:
        return ChainVerification(self._first, self.last.number, self.last.digest, self._erased, number, fault)

    async def open(self, connection: Connection, start: int | None) -> None:
        """Finds where the log begins."""
        checkpoint = await audit_log.read_checkpoint(connection)
        if checkpoint is not None:
            self.last, seal = checkpoint
            if not hmac.compare_digest(seal, checkpoint_seal(self._audit_key, self.last)):
                raise _Fault(self.last.number, "the checkpoint before the first entry has a wrong seal")
        if start is not None and start > self.last.number:
            rows = await audit_log.read_entries(connection, start - 1, 1)
            if not rows or rows[0]["number"] != start:
                raise _Fault(start, "the entry to begin after is missing")
            self.last = AuditHead(start, rows[0]["digest"])
        self._first = self.last.number + 1
        self._note(self.last.digest)

    def check(self, row: Any) -> None:
        """Checks one entry; raises _Fault."""
        number: int = row["number"]
        if number != self.last.number + 1:
            raise _Fault(self.last.number + 1, "the entry was removed")
        if not row["stored"]:
            raise _Fault(number, "its contents were removed")
        erased = self._check_contents(row)
        message = b"".join(
            (
                self.last.digest,
                number.to_bytes(8),
                row["micros"].to_bytes(8, signed=True),
                row["kind"].ljust(16).encode(),
                row["header"],
                hashlib.sha256(row["targets"]).digest(),
            )
        )
        if not hmac.compare_digest(hmac.digest(self._block_key(number), message, hashlib.sha256), row["digest"]):
            raise _Fault(number, "its digest does not follow from the entry and the digest before it")
        if not (row["entry_is_plain"] and row["targets_are_plain"]):
            raise _Fault(number, "its version, times or ids were changed")
        self.last = AuditHead(number, row["digest"])
        self._note(row["digest"])
        if erased:
            self._erased += 1
            self._last_erased = number
        if row["kind"] == "ERASURE":
            self._last_erasure = number

    def _check_contents(self, row: Any) -> bool:
        """Compares the contents with their digests; returns whether some are erased."""
        number, contents, targets = row["number"], row["contents"], row["targets"]
        if contents is not None and hashlib.sha256(contents.encode()).digest() != row["header"]:
            raise _Fault(number, "its contents were changed")
        if len(targets) != DIGEST_BYTES * len(row["texts"]) or row["ordinals"] != list(range(1, len(row["texts"]) + 1)):
            raise _Fault(number, "a target was added or removed")
        erased = contents is None
        for index, text in enumerate(row["texts"]):
            leaf = targets[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
            if text is None:
                erased = True
                continue
            row_ids = orjson.loads(row["rows"][index])
            message = text + "".join(_row_digest(row["salts"][index], row_id) for row_id in row_ids)
            if hashlib.sha256(message.encode()).digest() != leaf:
                raise _Fault(number, f"its target {index + 1} was changed")
            erased = erased or any(row_id.startswith(ERASED_MARK) for row_id in row_ids)
        return erased

    async def end(self, connection: Connection) -> None:
        """Checks the end of the log, and that an erasure explains what is erased."""
        stored_end = await audit_log.read_head(connection)
        if stored_end.number > self.last.number:
            raise _Fault(self.last.number + 1, "the end of the log was cut off")
        if stored_end != self.last:
            raise _Fault(self.last.number, "the log's head names another digest")
        beyond = await audit_log.first_unchained(connection, self.last.number)
        if beyond is not None:
            raise _Fault(beyond, "the entry was appended without a digest")
        if await audit_log.is_position_ahead(connection):
            raise _Fault(self.last.number + 1, "the log's head names a later change than there is")
        if self._last_erased > self._last_erasure:
            raise _Fault(self._last_erased, "its contents are erased, but no later entry records an erasure")
        if not self._expected_seen:
            raise _Fault(
                self.last.number, "the expected digest does not occur: entries are missing, or it is another log's"
            )

    def _note(self, digest: bytes) -> None:
        self._expected_seen = self._expected_seen or digest == self._expected

    def _block_key(self, number: int) -> bytes:
        if number // BLOCK != self._key_block:
            self._key_block = number // BLOCK
            self._key = block_key(self._audit_key, self._key_block)
        return self._key
