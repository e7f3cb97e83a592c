// The page's API key: the entered key, stored for this tab only, or the key that the server gives to browsers on its own
// machine.
import { demoHeaders } from "../shared/endpoints.js";
import { make } from "./dom.js";

const STORAGE_KEY = "hub:key";
const EXPLANATION = `The page shows the rows that its key may see. A key entered here is stored in this tab until you close it.
  Without one, the page uses the key that the hub gives to browsers on its own machine.`;

export async function authorization() {
  const entered = sessionStorage.getItem(STORAGE_KEY);
  return entered ? `Bearer ${entered}` : (await demoHeaders())?.Authorization;
}

// The dialog for the key. Entering a key reloads the page.
export function keyDialog() {
  const problem = make("p", { class: "refusal", role: "alert" });
  const field = make("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false" });
  field.placeholder = "hub_…";
  const cancel = make("button", { type: "button" }, "Cancel");
  const submit = make("button", { type: "submit", class: "primary" }, "Use this key");
  const form = make(
    "form",
    {},
    make("h2", {}, "API key"),
    make("p", {}, EXPLANATION),
    make("label", { for: "key" }, "Key"),
    field,
    problem,
    make("div", { class: "choices" }, cancel, submit),
  );
  const dialog = make("dialog", { "aria-label": "API key" }, form);

  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const entered = field.value.trim();
    if (entered) sessionStorage.setItem(STORAGE_KEY, entered);
    else sessionStorage.removeItem(STORAGE_KEY);
    location.reload();
  });
  return {
    element: dialog,
    ask(reason = "") {
      problem.textContent = reason;
      if (!dialog.open) dialog.showModal();
      field.select();
    },
  };
}
