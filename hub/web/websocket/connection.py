"""A WebSocket as bytes: frames in through a parser, messages out at once, the client's pace, and every way to end.

What the messages mean is transport_ws.py's; how a socket is asked for, handshake.py's."""

import asyncio
from time import perf_counter
from typing import Any, ClassVar, cast

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from hub.observability import Failed, SocketClosed, SocketOpened, tell
from hub.web.context import Desk
from hub.web.websocket import frames
from hub.web.websocket.session import Session

# Bytes parsed at once: thousands of small frames in one read would keep everybody else waiting.
SLICE = 4_096
ABNORMAL = 1006


class Socket(asyncio.Protocol):
    """One connection after its handshake. What uvicorn is given is a subclass made by `sockets_of`."""

    __slots__ = (
        "began",
        "closing",
        "code",
        "connections",
        "heard",
        "loop",
        "parser",
        "partial",
        "patience",
        "paused",
        "session",
        "transport",
        "unread",
        "writable",
    )
    desk: ClassVar[Desk]
    parser: ServerProtocol
    session: Session
    transport: asyncio.Transport

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self.connections = cast(set[object], server_state.connections)
        self.loop = asyncio.get_running_loop()
        self.began = perf_counter()
        self.partial: bytearray | None = None  # of a text message in several frames
        self.unread = b""  # what came and is not parsed yet; while there is some, no more is taken
        self.paused = self.closing = False
        self.heard = True  # since the last beat
        self.code = ABNORMAL
        self.patience: asyncio.TimerHandle | None = None
        self.writable: asyncio.Event | None = None

    # -- from the first byte to the last --------------------------------------------------------------------------------

    def open(
        self, transport: asyncio.Transport, parser: ServerProtocol, answer: bytes, authorization: bytes | None
    ) -> None:
        """Takes a connection over; raises Unavailable when there is no place for it."""
        session = Session(self, self.desk, authorization)
        self.desk.presence.let_in(session)
        self.desk.presence.sockets += 1
        self.session, self.transport, self.parser = session, transport, parser
        high = self.desk.settings.stream_buffer
        transport.set_write_buffer_limits(high, high // 4)
        transport.set_protocol(self)
        self.connections.add(self)
        transport.write(answer)
        tell(SocketOpened())
        if parser.subprotocol is None:
            self.close(4406, "Subprotocol not acceptable")
            return
        self.desk.wheel.join(self)
        self.loop.call_later(self.desk.settings.socket_init_timeout, session.late)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if len(data) <= SLICE:
            self._read(data)
        else:
            self.transport.pause_reading()
            self.unread = data
            self._read_on()

    def eof_received(self) -> None:
        """A client that closes its half is gone; the transport sends what there is, if it may, and closes the other."""
        self._end("gone")
        self.loop.call_later(self.desk.farewell, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("gone")
        self.connections.discard(self)
        self.desk.presence.sockets -= 1
        if self.patience is not None:
            self.patience.cancel()
        # Else the parser would hold itself, and wait for a collection that seldom comes.
        self.parser.parser.close()
        self.parser.parser_exc = None
        credential = self.session.credential
        tell(SocketClosed(credential.public_id if credential else "", self.code, perf_counter() - self.began))
        del self.session  # which knows this socket, and would be collected as seldom

    def shutdown(self) -> None:
        """uvicorn stops."""
        self.session.shut()
        self.loop.call_later(self.desk.settings.drain_timeout / 2, self.close, 1012, "STOPPING")

    def beat(self) -> None:
        """Once per period: whoever was silent since the last ping is gone."""
        if not self.heard and not self.paused:
            self.transport.abort()
        elif not self.closing and not self.paused:
            self.heard = False
            self.transport.write(frames.PING)

    # -- in -------------------------------------------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Parses a slice; the next when the loop has looked after everybody else."""
        if (self.paused and not self.closing) or self.transport.is_closing():
            return
        slice_, self.unread = self.unread[:SLICE], self.unread[SLICE:]
        self._read(slice_)
        self._listen()

    def _listen(self) -> None:
        """Goes on with what was read, or else takes more."""
        if self.unread:
            self.loop.call_soon(self._read_on)
        elif not self.transport.is_closing() and (self.closing or not self.paused):
            self.transport.resume_reading()

    def _read(self, data: bytes) -> None:
        self.parser.receive_data(data)
        for event in self.parser.events_received():
            if not self.closing:
                self._receive(cast(Frame, event))
        self._answer()

    def _receive(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self.close(1003, "Messages are JSON, in text frames.")
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._understand(frame.data)
        elif frame.opcode is Opcode.TEXT:
            self.partial = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self.partial is not None:
            self.partial += frame.data
            if frame.fin:
                whole, self.partial = self.partial, None
                self._understand(whole)

    def _understand(self, data: bytes | bytearray | memoryview) -> None:
        message = bytes(data)
        try:
            message.decode()
        except UnicodeDecodeError:
            self.close(1007, "The message is not UTF-8.")
            return
        try:
            self.session.receive(message)
        except Exception as error:
            tell(Failed("", "reading a socket's message", error))
            self.close(1011, "INTERNAL")

    def _answer(self) -> None:
        """What the parser wants sent: pongs, and the end when the client wants it or breaks the protocol."""
        wanted = self.parser.data_to_send()
        if not wanted:
            return
        if self.parser.state is State.OPEN:
            self.transport.write(b"".join(wanted))
            return
        if not self.closing:
            sent = self.parser.close_sent
            self.code = sent.code if sent is not None else ABNORMAL
            self._finish(b"".join(wanted))
        if wanted[-1]:
            return
        if self.parser.close_rcvd is not None:
            self.transport.close()
        elif self.transport.can_write_eof():
            # Closing now would reset the connection while the client still sends, and the last message with it.
            self.transport.write_eof()

    # -- out ------------------------------------------------------------------------------------------------------------

    def send(self, *parts: bytes) -> None:
        """One message, unless the socket is being closed."""
        if not self.closing:
            self.transport.write(frames.text(*parts))

    @property
    def full(self) -> bool:
        """Whether the client does not take what was sent."""
        return self.paused

    async def room(self) -> None:
        """Returns once it does; raises ConnectionError when it is gone."""
        while self.paused and not self.closing:
            if self.writable is None:
                self.writable = asyncio.Event()
            await self.writable.wait()
        if self.closing:
            raise ConnectionResetError("The socket is closed.")

    def pause_writing(self) -> None:
        self.paused = True
        if not self.closing:
            # Whoever does not take answers asks nothing more.
            self.transport.pause_reading()
            self.patience = self.loop.call_later(self.desk.settings.stream_patience, self._too_slow)

    def resume_writing(self) -> None:
        self.paused = False
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None
        self._let_write()
        self._listen()

    def _let_write(self) -> None:
        if self.writable is not None:
            self.writable.set()
            self.writable = None

    # -- the end --------------------------------------------------------------------------------------------------------

    def _too_slow(self) -> None:
        self.patience = None
        self.session.cut("SLOW_CONSUMER")
        self.close(1013, "SLOW_CONSUMER")

    def close(self, code: int, reason: str) -> None:
        """The last message; the client has a while to take it and to close, too."""
        if self.closing:
            return
        # Else the parser has read on to a frame that ends it all, and has its own close frame ready.
        if self.parser.state is State.OPEN:
            self.parser.send_close(code, frames.reason(reason))
        self._answer()

    def _finish(self, last: bytes) -> None:
        self._end(str(self.code))
        self.transport.write(last)
        self.loop.call_later(self.desk.farewell, self.transport.abort)
        if self.paused:
            # While it did not read, it was not read from; now what is to be heard is its end.
            self._listen()

    def _end(self, reason: str) -> None:
        self.closing = True
        self.desk.wheel.leave(self)
        self.session.lost(reason)
        self._let_write()


def sockets_of(desk: Desk) -> type[Socket]:
    """The protocol class for one hub."""
    return type("SocketsOfDesk", (Socket,), {"desk": desk, "__slots__": ()})
