// Which key the page asks with: the one that was entered, kept for as long as the tab, else the one that the server
// gives to a browser on its own machine.
import { givenHeaders } from "../shared/endpoints.js";
import { make } from "./dom.js";

const KEPT = "hub:key";
const TOLD = `The page shows what its key may see. A key entered here stays in this tab, and is forgotten when you close it.
  Without one, the page takes the key that the hub gives to browsers on its own machine.`;

export async function authorization() {
  const entered = sessionStorage.getItem(KEPT);
  return entered ? `Bearer ${entered}` : (await givenHeaders())?.Authorization;
}

// The dialog that asks for a key; the page begins anew with what is entered.
export function keyDialog() {
  const told = make("p", { class: "refusal", role: "alert" });
  const field = make("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false" });
  field.placeholder = "hub_…";
  const cancel = make("button", { type: "button" }, "Cancel");
  const submit = make("button", { type: "submit", class: "primary" }, "Use this key");
  const form = make(
    "form",
    {},
    make("h2", {}, "API key"),
    make("p", {}, TOLD),
    make("label", { for: "key" }, "Key"),
    field,
    told,
    make("div", { class: "choices" }, cancel, submit),
  );
  const dialog = make("dialog", { "aria-label": "API key" }, form);

  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const entered = field.value.trim();
    if (entered) sessionStorage.setItem(KEPT, entered);
    else sessionStorage.removeItem(KEPT);
    location.reload();
  });
  return {
    element: dialog,
    ask(reason = "") {
      told.textContent = reason;
      if (!dialog.open) dialog.showModal();
      field.select();
    },
  };
}
