"""A WebSocket connection: parses frames, writes messages, applies backpressure and closes the connection.

session.py interprets the messages; handshake.py accepts the upgrade request."""

import asyncio
from time import perf_counter
from typing import Any, ClassVar, cast

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from hub.observability import InternalFailure, SocketClosed, SocketOpened, emit
from hub.web.context import GatewayContext
from hub.web.websocket import frames
from hub.web.websocket.handshake import Handshake
from hub.web.websocket.session import Session

# Bytes parsed per event-loop step: thousands of small frames in one read would delay all other connections.
PARSE_SLICE = 4_096
ABNORMAL_CLOSURE = 1006


class WebSocketConnection(asyncio.Protocol):
    """One connection after its handshake. uvicorn gets a subclass from `connections_for`."""

    __slots__ = (
        "backpressure_timer",
        "close_code",
        "closing",
        "connections",
        "drained_event",
        "loop",
        "parser",
        "partial_message",
        "received_since_ping",
        "session",
        "started_at",
        "transport",
        "unparsed",
        "write_paused",
    )
    context: ClassVar[GatewayContext]
    parser: ServerProtocol
    session: Session
    transport: asyncio.Transport

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self.connections = cast(set[object], server_state.connections)
        self.loop = asyncio.get_running_loop()
        self.started_at = perf_counter()
        self.partial_message: bytearray | None = None  # the frames so far of a fragmented text message
        self.unparsed = b""  # received bytes that are not parsed yet; reading is paused while there are any
        self.write_paused = self.closing = False
        self.received_since_ping = True
        self.close_code = ABNORMAL_CLOSURE
        self.backpressure_timer: asyncio.TimerHandle | None = None
        self.drained_event: asyncio.Event | None = None

    # -- lifecycle ------------------------------------------------------------------------------------------------------

    def open(self, transport: asyncio.Transport, handshake: Handshake) -> None:
        """Takes over a connection after its handshake; raises Unavailable if too many sockets are open."""
        peer = transport.get_extra_info("peername")
        address = self.context.trusted_proxies.client_address(peer[0] if peer else None, handshake.forwarded)
        session, parser = Session(self, self.context, handshake.authorization, address), handshake.parser
        self.context.connection_registry.admit_unauthenticated(session)
        self.context.connection_registry.open_sockets += 1
        self.session, self.transport, self.parser = session, transport, parser
        high_water = self.context.settings.stream_buffer
        transport.set_write_buffer_limits(high_water, high_water // 4)
        transport.set_protocol(self)
        self.connections.add(self)
        transport.write(handshake.response)
        emit(SocketOpened())
        if parser.subprotocol is None:
            self.close(4406, "Subprotocol not acceptable")
            return
        self.context.timing_wheel.add(self)
        self.loop.call_later(self.context.settings.socket_init_timeout, session.on_init_timeout)

    def data_received(self, data: bytes) -> None:
        self.received_since_ping = True
        if len(data) <= PARSE_SLICE:
            self._parse(data)
        else:
            self.transport.pause_reading()
            self.unparsed = data
            self._parse_next_slice()

    def eof_received(self) -> None:
        """Closes the connection: a half-closed client counts as disconnected. The transport may flush its buffer first."""
        self._mark_closing("gone")
        self.loop.call_later(self.context.close_timeout, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._mark_closing("gone")
        self.connections.discard(self)
        self.context.connection_registry.open_sockets -= 1
        if self.backpressure_timer is not None:
            self.backpressure_timer.cancel()
        # Breaks the parser's reference cycle, which the rare full garbage collections would free late.
        self.parser.parser.close()
        self.parser.parser_exc = None
        credential = self.session.credential
        emit(
            SocketClosed(credential.public_id if credential else "", self.close_code, perf_counter() - self.started_at)
        )
        del self.session  # breaks the cycle between session and connection

    def shutdown(self) -> None:
        """Closes the connection within half of the drain timeout; uvicorn calls it at shutdown."""
        self.session.on_shutdown()
        self.loop.call_later(self.context.settings.drain_timeout / 2, self.close, 1012, "STOPPING")

    def on_heartbeat(self) -> None:
        """Sends a ping once per period, or aborts the connection if nothing was received since the last ping."""
        if not self.received_since_ping and not self.write_paused:
            self.transport.abort()
        elif not self.closing and not self.write_paused:
            self.received_since_ping = False
            self.transport.write(frames.PING)

    # -- receiving ------------------------------------------------------------------------------------------------------

    def _parse_next_slice(self) -> None:
        """Parses one slice and schedules the next, so that other tasks run in between."""
        if (self.write_paused and not self.closing) or self.transport.is_closing():
            return
        slice_, self.unparsed = self.unparsed[:PARSE_SLICE], self.unparsed[PARSE_SLICE:]
        self._parse(slice_)
        self._continue_reading()

    def _continue_reading(self) -> None:
        """Parses the remaining bytes, or resumes reading if there are none."""
        if self.unparsed:
            self.loop.call_soon(self._parse_next_slice)
        elif not self.transport.is_closing() and (self.closing or not self.write_paused):
            self.transport.resume_reading()

    def _parse(self, data: bytes) -> None:
        self.parser.receive_data(data)
        for event in self.parser.events_received():
            if not self.closing:
                self._handle_frame(cast(Frame, event))
        self._send_pending()

    def _handle_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self.close(1003, "Messages are JSON, in text frames.")
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._handle_text(frame.data)
        elif frame.opcode is Opcode.TEXT:
            self.partial_message = bytearray()
            self._handle_fragment(self.partial_message, frame)
        elif frame.opcode is Opcode.CONT and self.partial_message is not None:
            self._handle_fragment(self.partial_message, frame)

    def _handle_fragment(self, message: bytearray, frame: Frame) -> None:
        message += frame.data
        # The remaining fragments of an oversized message are dropped: there is no partial message to add them to.
        if frame.fin or len(message) > self.context.settings.frame_limit:
            self.partial_message = None
            self._handle_text(message)

    def _handle_text(self, data: bytes | bytearray | memoryview) -> None:
        message = bytes(data)
        is_oversized = len(message) > self.context.settings.frame_limit
        try:
            if not is_oversized:
                message.decode()
        except UnicodeDecodeError:
            self.close(1007, "The message is not UTF-8.")
            return
        try:
            if is_oversized:
                self.session.receive_oversized(message)
            else:
                self.session.receive(message)
        except Exception as error:
            emit(InternalFailure("", "handling a WebSocket message", error))
            self.close(1011, "INTERNAL")

    def _send_pending(self) -> None:
        """Writes the parser's output: pongs, and a close frame if the client closes or violates the protocol."""
        pending = self.parser.data_to_send()
        if not pending:
            return
        if self.parser.state is State.OPEN:
            self.transport.write(b"".join(pending))
            return
        if not self.closing:
            close_frame = self.parser.close_sent
            self.close_code = close_frame.code if close_frame is not None else ABNORMAL_CLOSURE
            self._send_last(b"".join(pending))
        if pending[-1]:
            return
        if self.parser.close_rcvd is not None:
            self.transport.close()
        elif self.transport.can_write_eof():
            # A full close while the client still sends would reset the connection and lose the last message.
            self.transport.write_eof()

    # -- sending --------------------------------------------------------------------------------------------------------

    def send(self, *parts: bytes) -> None:
        """Sends one message, unless the connection is closing."""
        if not self.closing:
            self.transport.write(frames.text_frame(*parts))

    @property
    def is_backpressured(self) -> bool:
        """Whether the write buffer is full because the client reads too slowly."""
        return self.write_paused

    async def drained(self) -> None:
        """Returns once the buffer has drained; raises ConnectionError if the connection closes."""
        while self.write_paused and not self.closing:
            if self.drained_event is None:
                self.drained_event = asyncio.Event()
            await self.drained_event.wait()
        if self.closing:
            raise ConnectionResetError("The socket is closed.")

    def pause_writing(self) -> None:
        self.write_paused = True
        if not self.closing:
            # A client that does not read responses may not send further requests.
            self.transport.pause_reading()
            self.backpressure_timer = self.loop.call_later(
                self.context.settings.stream_backpressure_timeout, self._on_backpressure_timeout
            )

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.backpressure_timer is not None:
            self.backpressure_timer.cancel()
            self.backpressure_timer = None
        self._notify_drained()
        self._continue_reading()

    def _notify_drained(self) -> None:
        if self.drained_event is not None:
            self.drained_event.set()
            self.drained_event = None

    # -- closing --------------------------------------------------------------------------------------------------------

    def _on_backpressure_timeout(self) -> None:
        self.backpressure_timer = None
        self.session.close_streams("SLOW_CONSUMER")
        self.close(1013, "SLOW_CONSUMER")

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame; the client has `close_timeout` seconds to receive it and to close its side."""
        if self.closing:
            return
        # In any other state the parser has read a closing frame, and has its own close frame ready.
        if self.parser.state is State.OPEN:
            self.parser.send_close(code, frames.truncate_reason(reason))
        self._send_pending()

    def _send_last(self, last: bytes) -> None:
        self._mark_closing(str(self.close_code))
        self.transport.write(last)
        self.loop.call_later(self.context.close_timeout, self.transport.abort)
        if self.write_paused:
            # Reading was paused under backpressure; resume it to receive the client's close frame.
            self._continue_reading()

    def _mark_closing(self, reason: str) -> None:
        self.closing = True
        self.context.timing_wheel.remove(self)
        self.session.on_connection_lost(reason)
        self._notify_drained()


def connections_for(context: GatewayContext) -> type[WebSocketConnection]:
    """Returns the protocol class that is bound to a hub's context."""
    return type("BoundWebSocketConnection", (WebSocketConnection,), {"context": context, "__slots__": ()})
