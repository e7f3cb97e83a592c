// The page at /live: one customer from all sides as it is now, and what becomes of it. The view is a live query, the
// panel beside it a stream of changes that begins where the view's first answer stood.
import { socket } from "../shared/endpoints.js";
import { connect, follow } from "../shared/subscriptions-client.js";
import { make } from "./dom.js";
import { authorization, keyDialog } from "./key-dialog.js";
import { searchBox } from "./search.js";
import { changesPanel } from "./changes-panel.js";
import { customerView } from "./customer-view.js";
import VIEW from "./view.graphql";
import { time } from "./format.js";
import "./live.css";

const STATES = { open: "Live", connecting: "Connecting", lost: "Reconnecting", closed: "", refused: "Refused" };

let connection = "closed";
let refused = false;
let seen; // when the last answer came
let stop = () => {};

const key = await authorization();
const client = connect(socket, key, (now) => {
  connection = now;
  showState();
});
const dialog = keyDialog();
const main = make("main");
const state = make("p", { class: "state", role: "status" });
const search = searchBox(key, (id) => {
  location.hash = id;
});

function bar() {
  const title = make("span", { class: "title" }, "Customer hub");
  const graphiql = make("a", { class: "plain", href: "graphiql" }, "GraphiQL");
  const change = make("button", { type: "button", class: "plain" }, "Key");
  change.addEventListener("click", () => dialog.ask());
  return make("nav", { class: "bar", "aria-label": "Page" }, title, search.element, state, graphiql, change);
}

// A lost connection says from when what is shown is.
function showState() {
  const now = refused ? "refused" : connection;
  state.dataset.state = now;
  state.textContent = STATES[now] + (now === "lost" && seen ? ` · as of ${time(seen)}` : "");
}

function fail([{ message, extensions }]) {
  refused = true;
  showState();
  if (extensions?.code === "FORBIDDEN") dialog.ask(message);
  else main.prepend(make("p", { class: "refusal", role: "alert" }, message));
}

function invite(title, text) {
  const find = make("button", { type: "button", class: "primary" }, "Find a customer");
  find.addEventListener("click", search.focus);
  main.replaceChildren(make("section", { class: "invitation" }, make("h1", {}, title), make("p", {}, text), find));
}

// Shows a customer until the function that is returned is called.
function watch(id) {
  const panel = changesPanel();
  let view; // none until there is a customer
  let stopChanges;

  function watchChanges(after) {
    stopChanges = panel.watch(client, id, after, (errors) => {
      if (!errors[0].extensions?.code?.startsWith("CURSOR_")) return fail(errors);
      panel.gap("What changed while the page was away is no longer stored.");
      return watchChanges(null);
    });
  }

  function next({ data, errors }) {
    if (errors) return fail(errors);
    const { cursor, customer } = data.customerLive;
    seen = Date.now();
    if (!stopChanges) watchChanges(cursor);
    if (!customer) {
      view = undefined;
      return invite("Nobody there", "There is no such customer, or this key may not see it. It shows when that changes.");
    }
    if (!view) {
      view = customerView();
      main.replaceChildren(...view.elements, panel.element);
    }
    document.title = `${customer.name} · Live`;
    return view.fill(customer);
  }

  const operation = { query: VIEW, operationName: "View", variables: { id } };
  const stopView = follow(client, operation, undefined, { next, end: fail });
  return () => {
    stopView();
    stopChanges?.();
  };
}

function begin() {
  const id = location.hash.slice(1);
  stop();
  refused = false;
  showState();
  main.replaceChildren();
  document.title = "Live";
  stop = id ? watch(id) : () => {};
  if (!id) invite("One customer, as it happens", "Pick one: whatever changes, whoever changes it, shows here at once.");
}

document.getElementById("live").append(bar(), main, dialog.element);
addEventListener("hashchange", begin);
begin();
if (!key) dialog.ask();
