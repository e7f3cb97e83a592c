// Who is signed in and what they may do, behind a button with their name; signing in and out.
import { make, withCode } from "./dom.js";
import { endpoint } from "./endpoints.js";
import ME from "./me.graphql";
import { signIn, signOut } from "./session.js";

const EXPLANATION = `Enter an API key (hub_…) or a token of your identity provider. The hub exchanges it for a session, which this tab
  stores until you sign out or close it. The link that \`hub link\` prints does the same.`;
const VERBS = ["read", "create", "update", "delete", "write", "admin"];
const SEES = {
  UNRESTRICTED: () => "Everything that the roles allow",
  UNIT: ({ unit }) => `${unit?.name ?? "One unit"} and the units below`,
  CUSTOMER: ({ customer }) => `${customer?.name ?? "One customer"} only`,
};

async function readMe(authorization) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { accept: "application/graphql-response+json", "content-type": "application/json", authorization },
    body: JSON.stringify({ query: ME }),
    cache: "no-store",
  });
  return { status: response.status, ...(await response.json()) };
}

function nameOf({ viewer, staff, customer }) {
  return staff?.name ?? customer?.name ?? (viewer.name || "API key");
}

// ["Customer:read", "Order:read"] → [["May read", "Customer, Order"]]
function permissionRows(permissions) {
  const subjects = new Map();
  for (const text of permissions) {
    const [subject, verb] = text.split(":");
    subjects.set(verb, [...(subjects.get(verb) ?? []), subject === "*" ? "everything" : subject]);
  }
  const rows = [...subjects].sort(([a], [b]) => VERBS.indexOf(a) - VERBS.indexOf(b));
  return rows.map(([verb, names]) => [`May ${verb}`, names.join(", ")]);
}

function facts(me) {
  const { roles, permissions, binding, expiresAt } = me.viewer;
  const rows = [
    ["Roles", roles.join(", ") || "none"],
    ["Sees", SEES[binding]?.(me) ?? binding],
    ["Until", expiresAt ? new Date(expiresAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "you sign out"],
    ...permissionRows(permissions),
  ];
  return rows.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]);
}

// A form in a dialog. `act` returns the problem, or nothing if the page begins anew.
function dialogOf(title, parts, action, act) {
  const problem = make("p", { class: "refusal", role: "alert" });
  const close = make("button", { type: "button" }, "Close");
  const submit = make("button", { type: "submit", class: "primary" }, action);
  const form = make("form", {}, make("h2", {}, title), ...parts, problem, make("div", { class: "choices" }, close, submit));
  const element = make("dialog", { class: "account", "aria-label": title }, form);
  close.addEventListener("click", () => element.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.replaceChildren(...withCode((await act().catch(() => "The hub cannot be reached. Try again.")) ?? ""));
    submit.disabled = false;
  });
  return {
    element,
    open(reason = "") {
      problem.replaceChildren(...withCode(reason));
      if (!element.open) element.showModal();
    },
  };
}

function signInDialog() {
  const field = make("input", { id: "credential", type: "password", autocomplete: "off", spellcheck: "false" });
  field.placeholder = "hub_… or eyJ…";
  const parts = [make("p", {}, ...withCode(EXPLANATION)), make("label", { for: "credential" }, "Key or token"), field];
  const dialog = dialogOf("Sign in", parts, "Sign in", async () => {
    const problem = await signIn(field.value.trim());
    field.select();
    return problem;
  });
  return {
    element: dialog.element,
    open(reason) {
      dialog.open(reason);
      field.select();
    },
  };
}

// Returns the button for the page's bar, the dialogs, and `ask`, which opens the dialog to sign in.
export function account({ authorization, problem }) {
  const button = make("button", { type: "button", class: "account-button plain" }, authorization ? "…" : "Sign in");
  const signingIn = signInDialog();
  const list = make("dl", { class: "facts-of-me" });
  const signedIn = dialogOf("Signed in", [list], "Sign out", signOut);
  const elements = make("div", {}, signingIn.element, signedIn.element);
  let open = () => signingIn.open();
  button.addEventListener("click", () => open());

  async function show() {
    const { status, data, errors } = await readMe(authorization);
    if (status === 401 || status === 403) return signingIn.open(`${errors[0].message} Sign in again.`);
    if (!data?.me) return signedIn.element.querySelector(".refusal").append(errors?.[0].message ?? "");
    const name = nameOf(data.me);
    button.textContent = name;
    button.title = `${name}: ${data.me.viewer.roles.join(", ")}`;
    signedIn.element.querySelector("h2").textContent = name;
    return list.replaceChildren(...facts(data.me));
  }

  if (authorization) {
    open = () => signedIn.open();
    button.textContent = "Signed in";
    show().catch(() => {}); // the page itself shows that the hub is away
  }
  return {
    button,
    elements,
    ask: (reason) => signingIn.open(reason),
    begin() {
      if (problem !== undefined) signingIn.open(problem);
    },
  };
}
