// The dialog for the API key. Entering a key reloads the page.
import { storeKey } from "./session.js";
import { make } from "./dom.js";

const EXPLANATION = `The page shows the rows that its key may see. A key entered here is stored in this tab until you close it.
  The link that \`hub link\` prints opens the page without entering one.`;

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
    storeKey(field.value.trim());
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
