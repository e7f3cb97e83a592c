// The log of stream events below the response: GraphiQL shows one message at a time, the log keeps the last ones, newest first.
import { useSyncExternalStore } from "react";

const MAX_EVENTS = 200;

let events = [];
let count = 0;
const listeners = new Set();

function publish(next) {
  events = next;
  listeners.forEach((listener) => listener());
}

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function messageOf({ data }) {
  return Object.values(data ?? {})[0];
}

function isProgress({ response }) {
  return messageOf(response)?.__typename === "StreamProgress";
}

// What an event is, in a few words: `UPDATE ORDER status` or the name of the field.
function summary(response) {
  if (response.errors) return response.errors[0].message;
  if (response.extensions?.connection) return `Connection ${response.extensions.connection}`;
  const message = messageOf(response);
  const { operation, entity, changedFields, reason } = message ?? {};
  const words = [operation, entity, reason, ...(operation === "UPDATE" ? (changedFields ?? []) : [])].filter(Boolean);
  return words.join(" ") || message?.__typename || Object.keys(response.data ?? {})[0] || "Message";
}

// Appends a response of a stream. Of progress messages in a row, only the last one is kept.
export function record(name, response) {
  const event = { number: ++count, at: new Date(), name, response };
  const [last, ...earlier] = events;
  const previous = last && isProgress(last) && isProgress(event) ? earlier : events;
  publish([event, ...previous].slice(0, MAX_EVENTS));
}

function Event({ at, name, response }) {
  return (
    <li>
      <details>
        <summary>
          <time dateTime={at.toISOString()}>{at.toLocaleTimeString()}</time> {summary(response)} <small>{name}</small>
        </summary>
        <pre>{JSON.stringify(response, null, 2)}</pre>
      </details>
    </li>
  );
}

export function EventLog() {
  const shown = useSyncExternalStore(subscribe, () => events);
  if (shown.length === 0) return null;
  const dropped = count - shown.length;
  return (
    <section aria-label="Stream events" className="event-log">
      <header>
        <span>Stream events</span>
        <span className="event-count" title={dropped > 0 ? `The log keeps the last ${MAX_EVENTS} events.` : undefined}>{shown.length}</span>
        <button type="button" className="graphiql-un-styled" onClick={() => publish([])}>Clear</button>
      </header>
      <ol>{shown.map((event) => <Event key={event.number} {...event} />)}</ol>
    </section>
  );
}
