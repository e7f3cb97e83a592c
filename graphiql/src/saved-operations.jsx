// The panel of saved operations: a click opens one in a tab, going back to it if it is open already.
import { useEditorContext } from "@graphiql/react";
import { parse } from "graphql";
import { useEffect, useState } from "react";

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" height="1em">
      <path d="M6 3h12v18l-6-5-6 5z" strokeLinejoin="round" />
    </svg>
  );
}

function SavedOperations({ operations }) {
  const { queryEditor, variableEditor, tabs, activeTabIndex, addTab, changeTab } = useEditorContext({ nonNull: true });
  const [opening, setOpening] = useState(null);

  // A tab is filled once it is there, since adding it resets the editors, and once the editors are there.
  useEffect(() => {
    if (opening === null || opening.tab !== activeTabIndex || !queryEditor || !variableEditor) return;
    queryEditor.setValue(opening.text);
    variableEditor.setValue("");
    // GraphiQL learns what a text holds a moment after it changed; until then it would run the former operation's name.
    const { definitions } = (queryEditor.documentAST = parse(opening.text));
    queryEditor.operations = definitions;
    queryEditor.operationName = definitions[0].name.value;
    setOpening(null);
  }, [opening, activeTabIndex, queryEditor, variableEditor]);

  function open({ text }) {
    const there = tabs.findIndex((tab) => tab.query === text);
    if (there >= 0) {
      if (there !== activeTabIndex) changeTab(there);
      return;
    }
    const current = queryEditor?.getValue() ?? "";
    if (current.trim() === "" || operations.some((operation) => operation.text === current)) {
      setOpening({ text, tab: activeTabIndex });
    } else {
      setOpening({ text, tab: tabs.length });
      addTab();
    }
  }

  return (
    <section aria-label="Saved operations" className="saved-operations">
      <div className="saved-operations-title">Saved operations</div>
      <ul>
        {operations.map((operation) => (
          <li key={operation.title}>
            <button type="button" className="graphiql-un-styled" onClick={() => open(operation)}>{operation.title}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function savedOperationsPlugin(operations) {
  return { title: "Saved operations", icon: Icon, content: () => <SavedOperations operations={operations} /> };
}
