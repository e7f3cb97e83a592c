// The panel of saved operations. A click opens an operation in a tab, or switches to its tab if it is open already. Operations
// that write data, and those that go on until they are stopped, are marked.
import { useEditorContext } from "@graphiql/react";
import { Kind, parse } from "graphql";
import { useEffect, useState } from "react";
import { closePanel, isNarrow } from "./layout.js";

// The marks by type of operation; a style sheet shows them behind the title.
const MARKS = {
  mutation: { "data-mark": "writes", title: "Writes data" },
  subscription: { "data-mark": "live", title: "Runs until it is stopped" },
};

function markOf(text) {
  return MARKS[parse(text).definitions[0].operation] ?? {};
}

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" height="1em">
      <path d="M6 3h12v18l-6-5-6 5z" strokeLinejoin="round" />
    </svg>
  );
}

// GraphiQL parses changed text with a delay and would run the former operation's name until then. This parses it at once.
function parseDocument(editor, change) {
  if (change?.origin !== "setValue") return; // GraphiQL reports its own changes without an origin
  try {
    editor.documentAST = parse(editor.getValue());
  } catch {
    return;
  }
  editor.operations = editor.documentAST.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  editor.operationName = editor.operations[0]?.name?.value ?? null;
}

function SavedOperations({ operations }) {
  const { queryEditor, variableEditor, tabs, activeTabIndex, addTab, changeTab } = useEditorContext({ nonNull: true });
  const [opening, setOpening] = useState(null);

  useEffect(() => {
    queryEditor?.on("change", parseDocument);
    return () => queryEditor?.off("change", parseDocument);
  }, [queryEditor]);

  // A click waits for the editors. A tab is filled after it exists, because adding a tab resets the editors.
  useEffect(() => {
    if (opening === null || !queryEditor || !variableEditor) return;
    if (opening.tab === undefined) {
      const target = targetTab(opening.text);
      setOpening(target);
      if (target === null) uncoverEditor();
    } else if (opening.tab === activeTabIndex) {
      queryEditor.setValue(opening.text);
      variableEditor.setValue("");
      setOpening(null);
      uncoverEditor();
    }
  }, [opening, activeTabIndex, queryEditor, variableEditor]);

  // Only now: a closed panel forgets what it was about to open.
  function uncoverEditor() {
    if (isNarrow()) closePanel();
  }

  // Returns the tab to fill with the text, or null if a tab has it already.
  function targetTab(text) {
    const current = queryEditor.getValue();
    if (current === text) return null;
    // GraphiQL's text of the active tab may be older than its editor.
    const there = tabs.findIndex((tab, index) => index !== activeTabIndex && tab.query === text);
    if (there >= 0) {
      changeTab(there);
      return null;
    }
    if (current.trim() === "" || operations.some((operation) => operation.text === current)) {
      return { text, tab: activeTabIndex };
    }
    addTab();
    return { text, tab: tabs.length };
  }

  return (
    <section aria-label="Saved operations" className="saved-operations">
      <div className="saved-operations-title">Saved operations</div>
      <ul>
        {operations.map(({ title, text }) => (
          <li key={title}>
            <button type="button" className="graphiql-un-styled" {...markOf(text)} onClick={() => setOpening({ text })}>{title}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function savedOperationsPlugin(operations) {
  return { title: "Saved operations", icon: Icon, content: () => <SavedOperations operations={operations} /> };
}
