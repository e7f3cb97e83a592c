// The page at /live: one customer from all sides and its changes, the work of the person who is signed in (#me), or where an
// application stands. Each view is a live query. The panel beside a customer is a stream of changes that starts at the cursor
// of the view's first message.
import { account } from "../shared/account.js";
import { socket } from "../shared/endpoints.js";
import { linkState } from "../shared/link-state.js";
import { connect, follow } from "../shared/subscriptions-client.js";
import { make } from "../shared/dom.js";
import { authorize } from "../shared/session.js";
import { searchBox } from "./search.js";
import { changesPanel } from "./changes-panel.js";
import { customerView } from "./customer-view.js";
import { applicationView } from "./application-view.js";
import { workView } from "./work-view.js";
import APPLICATION from "./application.graphql";
import MY_WORK from "./my-work.graphql";
import VIEW from "./view.graphql";
import "../shared/base.css";
import "./live.css";

let stop = () => {};

const access = await authorize();
const { authorization } = access;
const state = linkState();
const client = connect(socket, authorization, state.onState);
const person = account(access);
const main = make("main");
const search = searchBox(authorization, (id) => {
  location.hash = id;
});

function bar() {
  const title = make("span", { class: "title" }, "Customer hub");
  const graphiql = make("a", { class: "plain", href: "graphiql" }, "GraphiQL");
  const work = make("a", { class: "plain", href: "#me" }, "My work");
  const review = make("a", { class: "plain", href: "review" }, "Review");
  return make("nav", { class: "bar", "aria-label": "Page" }, title, search.element, state.element, work, review, graphiql, person.button);
}

function fail([{ message, extensions }]) {
  state.refuse(true);
  if (extensions?.signedOut) person.ask(message);
  else main.prepend(make("p", { class: "refusal", role: "alert" }, message));
}

function invite(title, text) {
  const find = make("button", { type: "button", class: "primary" }, "Find a customer");
  find.addEventListener("click", search.focus);
  main.replaceChildren(make("section", { class: "invitation" }, make("h1", {}, title), make("p", {}, text), find));
}

// Shows a customer. Returns a function that stops it.
function watch(id) {
  const panel = changesPanel();
  let view; // undefined while there is no customer
  let stopChanges;

  function watchChanges(after) {
    stopChanges = panel.watch(client, id, after, (errors) => {
      if (!errors[0].extensions?.code?.startsWith("CURSOR_")) return fail(errors);
      panel.gap("Changes made while the page was disconnected are no longer stored.");
      return watchChanges(null);
    });
  }

  function next({ data, errors }) {
    if (errors) return fail(errors);
    const { cursor, customer } = data.customerLive;
    state.onMessage();
    if (!stopChanges) watchChanges(cursor);
    if (!customer) {
      view = undefined;
      return invite("No customer", "This customer does not exist, or the key may not see it. It appears here when that changes.");
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

// Shows a view of one live query, whose root is `name` and its part `part`. Returns a function that stops it.
function watchOne(query, operationName, name, part, makeView, variables = {}) {
  let view;
  return follow(client, { query, operationName, variables }, undefined, {
    next({ data, errors }) {
      if (errors) return fail(errors);
      const shown = data[name][part];
      state.onMessage();
      if (!shown) {
        view = undefined;
        return invite("Nothing to see", "It does not exist, or the key may not see it. It appears here when that changes.");
      }
      if (!view) {
        view = makeView();
        main.replaceChildren(...view.elements);
      }
      document.title = `${view.fill(shown)} · Live`;
    },
    end: fail,
  });
}

const watchWork = () => watchOne(MY_WORK, "MyWork", "meLive", "me", workView);
const watchApplication = (id) => watchOne(APPLICATION, "Application", "workItemLive", "workItem", applicationView, { id });

function begin() {
  const id = location.hash.slice(1);
  const [page, show] = id === "me" ? ["work", watchWork] : id.startsWith("wit_") ? ["application", watchApplication] : ["", watch];
  stop();
  state.refuse(false);
  main.className = page;
  main.replaceChildren();
  document.title = "Live";
  stop = id ? show(id) : () => {};
  if (!id) invite("One customer, live", "Pick a customer. Every change appears here at once, no matter who makes it.");
}

document.getElementById("live").append(bar(), main, person.elements);
addEventListener("hashchange", begin);
begin();
person.begin();
