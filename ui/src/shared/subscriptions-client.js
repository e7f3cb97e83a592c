// Subscriptions that survive a lost connection. A lost socket is reopened with exponential backoff. A stream that ended with a
// transient error is restarted. `changes` resumes after the last cursor, so no message is missed.
import { createClient } from "graphql-ws";

const NORMAL = 1000;
const FORBIDDEN = 4403; // close code for a rejected key
const TRANSIENT_CODES = new Set(["STREAM_ENDED", "UNAVAILABLE", "REQUEST_TIMEOUT"]);
const MIN_RETRY_DELAY = 500; // milliseconds, like all times here
const MAX_RETRY_DELAY = 5_000;
const HEARTBEAT = 10_000; // between pings, which detect a silently lost connection
const RESPONSE_TIMEOUT = 5_000; // for the acknowledgement and for a pong

// Waits, but ends early when the network comes back.
function pause(milliseconds) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const end = () => {
      listening.abort();
      resolve();
    };
    setTimeout(end, milliseconds);
    addEventListener("online", end, { signal: listening.signal });
  });
}

// A WebSocket client that is connected while an operation runs. It calls `onState` with "connecting", "open", "lost", or
// "closed" when no operation runs.
export function connect(address, authorization, onState) {
  let pongTimer;
  const client = createClient({
    url: address.href,
    connectionParams: authorization ? { authorization } : {},
    connectionAckWaitTimeout: RESPONSE_TIMEOUT,
    keepAlive: HEARTBEAT,
    retryAttempts: Infinity,
    shouldRetry: ({ code }) => code !== FORBIDDEN,
    retryWait: (times) => pause(Math.min(MAX_RETRY_DELAY, MIN_RETRY_DELAY * 2 ** times) * (0.75 + Math.random() / 2)),
    on: {
      connecting: (retrying) => retrying || onState("connecting"),
      connected: () => onState("open"),
      ping: (received) => received || (pongTimer = setTimeout(() => client.terminate(), RESPONSE_TIMEOUT)),
      pong: (received) => received && clearTimeout(pongTimer),
      closed({ code }) {
        clearTimeout(pongTimer);
        onState(code === NORMAL ? "closed" : "lost");
      },
    },
  });
  return client;
}

// The reason why a stream ended, as GraphQL errors.
function errorsOf(problem) {
  if (Array.isArray(problem)) return problem;
  const { code, reason, message } = problem;
  if (code === FORBIDDEN) {
    // The reason begins with the error's code: "KEY_EXPIRED: This API key has expired; …"
    const [rejection, ...texts] = reason.split(": ");
    const text = `${texts.join(": ") || `The hub rejects this session (${rejection}).`} Sign in again.`;
    return [{ message: text, extensions: { code: rejection, signedOut: true } }];
  }
  return [{ message: message ?? `The hub closed the connection: ${code} ${reason}`.trim(), extensions: { code } }];
}

// Runs a subscription and returns a function that stops it. Calls `callbacks.next` with every message, and `callbacks.end` with
// errors that are not transient. `after` names the variable with the cursor to resume after, if the operation has one.
export function follow(client, { query, operationName, variables }, after, callbacks) {
  let cursor = variables?.[after] ?? null;
  let stop;
  let retryTimer;
  const payload = {
    query,
    operationName,
    // A getter, because the client sends the payload again on every new socket.
    get variables() {
      return after && cursor ? { ...variables, [after]: cursor } : variables;
    },
  };

  function restart(milliseconds) {
    stop();
    clearTimeout(retryTimer);
    retryTimer = setTimeout(start, milliseconds);
  }

  function next(response) {
    const [message] = Object.values(response.data ?? {});
    if (after && message) {
      const { cursor: current, previousCursor: previous, to } = message;
      if (previous && cursor && previous !== cursor) {
        restart(MIN_RETRY_DELAY); // a message was lost; it is sent again
        return;
      }
      cursor = current ?? to ?? cursor;
    }
    callbacks.next(response);
  }

  function start() {
    let stopped = false;
    const end = client.subscribe(payload, {
      next: (response) => stopped || next(response),
      error(problem) {
        if (stopped) return;
        const errors = errorsOf(problem);
        if (TRANSIENT_CODES.has(errors[0].extensions?.code)) restart(MIN_RETRY_DELAY * 2);
        else callbacks.end(errors);
      },
      complete: () => stopped || restart(MIN_RETRY_DELAY * 2),
    });
    stop = () => {
      stopped = true;
      end();
    };
  }

  start();
  return () => {
    clearTimeout(retryTimer);
    stop();
  };
}
