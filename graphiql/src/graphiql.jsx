// The page at /graphiql: GraphiQL with the explorer and the saved operations. What the server has to say comes
// in <meta> elements, so that the page needs no inline script.
import { DOC_EXPLORER_PLUGIN, DocExplorerContextProvider } from "@graphiql/plugin-doc-explorer";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN, HistoryContextProvider } from "@graphiql/plugin-history";
import { usePluginStore } from "@graphiql/react";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, GraphiQLInterface, GraphiQLProvider } from "graphiql";
import { useRef } from "react";
import { createRoot } from "react-dom/client";
import operations from "saved-operations";
import { Headers } from "./headers.jsx";
import { savedOperationsPlugin } from "./saved-operations.jsx";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./graphiql.css";

function meta(name) {
  const content = document.querySelector(`meta[name="hub:${name}"]`)?.content;
  return content ? new URL(content, document.baseURI) : null;
}

// Only a page opened on the hub's own machine is told of this address, and only there does it answer.
async function defaultHeaders() {
  const address = meta("config");
  const response = address && (await fetch(address, { cache: "no-store" }));
  return response?.ok ? (await response.json()).headers : undefined;
}

function socketAddress() {
  const address = meta("subscriptions");
  if (!address) return undefined;
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

// Header names are of any case; the socket's connection_init, which is sent the same object, wants lower case.
function lowerCased(headers) {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

function fetcher(defaults) {
  const fetchOperation = createGraphiQLFetcher({
    url: meta("endpoint").href,
    subscriptionUrl: socketAddress(),
    headers: { accept: "application/graphql-response+json, application/json;q=0.9" },
    enableIncrementalDelivery: false,
  });
  return (operation, options) => {
    // The schema is asked for before the headers editor is there to be read.
    const unnamed = operation.operationName === "IntrospectionQuery" ? defaults : undefined;
    return fetchOperation(operation, { ...options, headers: lowerCased(options?.headers ?? unnamed) });
  };
}

const savedOperations = savedOperationsPlugin(operations);
const plugins = [savedOperations, DOC_EXPLORER_PLUGIN, explorerPlugin(), HISTORY_PLUGIN];

// GraphiQL decides when it first appears whether a panel is open, and the provider opens one only after that: so it
// appears a moment later.
function Interface({ headers }) {
  const { visiblePlugin } = usePluginStore();
  const appeared = useRef(false);
  appeared.current ||= visiblePlugin !== null;
  return appeared.current && (
    <GraphiQLInterface defaultEditorToolsVisibility="headers" showPersistHeadersSettings={false}>
      <GraphiQL.Logo>{document.title}</GraphiQL.Logo>
      <Headers defaults={headers} />
    </GraphiQLInterface>
  );
}

const defaults = await defaultHeaders();
const headers = defaults ? JSON.stringify(defaults, null, 2) : "";

createRoot(document.getElementById("graphiql")).render(
  <GraphiQLProvider
    defaultHeaders={headers}
    defaultTabs={[{ query: operations[0].text, headers }]}
    fetcher={fetcher(defaults)}
    inputValueDeprecation
    plugins={plugins}
    referencePlugin={DOC_EXPLORER_PLUGIN}
    schemaDescription
    shouldPersistHeaders={false}
    visiblePlugin={savedOperations.title}
  >
    <HistoryContextProvider>
      <DocExplorerContextProvider>
        <Interface headers={headers} />
      </DocExplorerContextProvider>
    </HistoryContextProvider>
  </GraphiQLProvider>,
);
