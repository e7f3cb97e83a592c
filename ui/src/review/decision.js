// What a person decides about two customers: one customer, after a look at the plan of the merge; two customers; or later.
import { make } from "../shared/dom.js";
import { word } from "../shared/format.js";

const AWAY = "The hub cannot be reached. Try again.";

// Runs an action; returns the problem if there is one.
export async function problemOf(act) {
  try {
    await act();
    return undefined;
  } catch (error) {
    return error instanceof TypeError ? AWAY : error.message;
  }
}

// What a merge does to the rows of a type: "Order: 12 moved".
function rowsOf({ type, ...counts }) {
  const parts = Object.entries(counts).filter(([, count]) => count);
  return `${word(type)}: ${parts.map(([what, count]) => `${count} ${what}`).join(", ")}`;
}

function planned(plan) {
  const parts = [
    ["Stays", [plan.customer.name]],
    ["Fields that change", plan.fields.map(word)],
    ["Rows", plan.tables.map(rowsOf)],
  ];
  return parts.flatMap(([term, lines]) => {
    const texts = lines.length ? lines : ["none"];
    return [make("dt", {}, term), make("dd", {}, ...texts.map((line) => make("p", {}, line)))];
  });
}

// The dialog with the plan of a merge. `open` shows a plan, and calls `merge` if the person agrees.
function planDialog(merge) {
  const list = make("dl", { class: "facts-of-me plan" });
  const problem = make("div", { class: "refusal", role: "alert" });
  const close = make("button", { type: "button" }, "Cancel");
  const submit = make("button", { type: "submit", class: "primary" }, "Merge");
  const choices = make("div", { class: "choices" }, close, submit);
  const form = make("form", {}, make("h2", {}, "Make them one customer"), list, problem, choices);
  const element = make("dialog", { "aria-label": "Plan of the merge" }, form);
  let plan;
  close.addEventListener("click", () => element.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const refusal = await problemOf(() => merge(plan.fingerprint));
    submit.disabled = false;
    if (refusal) problem.replaceChildren(make("p", {}, refusal));
    else element.close();
  });
  return {
    element,
    open(current) {
      plan = current;
      list.replaceChildren(...planned(plan));
      problem.replaceChildren(...plan.reasons.map(({ message }) => make("p", {}, message)));
      submit.hidden = plan.reasons.length > 0;
      element.showModal();
    },
  };
}

// The buttons and the dialog. `send` has what they do: `plan`, `merge`, `decide`.
export function decision(send) {
  const dialog = planDialog((fingerprint) => send.merge(fingerprint));
  const problem = make("p", { class: "refusal", role: "alert" });
  function button(label, name, act) {
    const element = make("button", { type: "button", class: name }, label);
    element.addEventListener("click", async () => {
      element.disabled = true;
      problem.textContent = (await problemOf(act)) ?? "";
      element.disabled = false;
    });
    return element;
  }
  const buttons = [
    button("Two customers", "apart", () => send.decide("NOT_SAME")),
    button("Later", "later", () => send.decide("LATER")),
    button("One customer …", "primary", async () => dialog.open(await send.plan())),
  ];
  const attributes = { class: "panel decision", role: "group", "aria-label": "Decision" };
  return make("div", attributes, problem, make("div", { class: "choices" }, ...buttons), dialog.element);
}
