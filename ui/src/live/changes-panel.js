// The latest changes of a customer, newest first. Each message links to the previous one by its cursor; a missing part is
// shown as a gap.
import { follow } from "../shared/subscriptions-client.js";
import CHANGES from "./changes.graphql";
import { highlight, make } from "../shared/dom.js";
import { exactly, time, word } from "../shared/format.js";

const MAX_ROWS = 50;
const SIGNS = { CREATE: "+", UPDATE: "~", DELETE: "−", ENTER: "→", LEAVE: "←" };
// After other reasons the stream continues without a gap.
const REASONS = {
  RETENTION: "Changes before this are no longer stored.",
  PERMISSIONS_CHANGED: "The permissions of this key have changed.",
};

// The name of a row: the one field that changes.graphql selects for its type.
function title({ entity, node: { id, version, ...named } }) {
  const name = Object.values(named)[0];
  return typeof name === "string" ? name : (name?.name ?? word(entity));
}

function changeRow({ operation, entity, changedFields, actor, at, node }) {
  const sign = make("span", { class: `sign ${operation.toLowerCase()}`, role: "img" }, SIGNS[operation]);
  sign.title = sign.ariaLabel = word(operation);
  const moment = make("time", { datetime: at, title: exactly(at) }, time(at));
  const heading = make("p", { class: "entity" }, make("span", {}, word(entity)), moment);
  const fields = operation === "UPDATE" ? changedFields.map((name) => make("code", {}, name)) : [];
  return make(
    "li",
    {},
    sign,
    make(
      "div",
      {},
      heading,
      make("p", { class: "what" }, title({ entity, node })),
      make("p", { class: "fields" }, ...fields),
      make("p", { class: "small actor", title: actor }, actor),
    ),
  );
}

export function changesPanel() {
  const rows = make("ol", { role: "log", "aria-label": "Changes", tabindex: "0" });
  const unbroken = make("p", { class: "small" });
  const element = make("aside", { class: "panel changes", "aria-label": "Changes" }, make("h2", {}, "Changes"), rows, unbroken);

  function add(row) {
    rows.prepend(row);
    highlight(row);
    while (rows.children.length > MAX_ROWS) rows.lastChild.remove();
  }

  function gap(text) {
    add(make("li", { class: "gap" }, make("p", {}, text)));
    showUnbroken();
  }

  // Shows that an unbroken chain of cursors starts now.
  function showUnbroken() {
    unbroken.textContent = `No change missed since ${time(Date.now())}`;
  }

  // Follows the changes of a customer after a cursor. Calls `fail` with the errors if that is impossible.
  function watch(client, id, after, fail) {
    showUnbroken();
    return follow(client, { query: CHANGES, operationName: "Changes", variables: { id, after } }, "after", {
      next({ data, errors }) {
        if (errors) fail(errors);
        const message = data?.changes;
        if (message?.__typename === "Change") add(changeRow(message));
        if (REASONS[message?.reason]) gap(REASONS[message.reason]);
      },
      end: fail,
    });
  }

  return { element, gap, watch };
}
