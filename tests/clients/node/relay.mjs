// Relay's runtime without React: the artifacts of relay-compiler, its store, its connections and its refetch queries.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";

import { createClient } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";

import { ATTRIBUTES, GERMANY, NOBODY, person } from "./documents.mjs";
import { authorization, browserFetch, mailbox, socketUrl, uniqueName, url } from "./hub.mjs";

const { Environment, Network, Observable, RecordSource, Store } = relay;
const { commitMutation, createOperationDescriptor, fetchQuery, getSelector, requestSubscription } = relay;

const artifact = (name) => createRequire(import.meta.url)(`../.generated/relay/${name}.graphql.js`);

async function fetchGraphQL({ text: query }, variables) {
  const headers = { authorization, "content-type": "application/json" };
  const response = await browserFetch(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return response.json();
}

function connect() {
  const socket = createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: authorization },
  });
  function subscribe({ text: query, name: operationName }, variables) {
    return Observable.create((sink) => socket.subscribe({ operationName, query, variables }, sink));
  }
  const store = new Store(new RecordSource());
  return { environment: new Environment({ network: Network.create(fetchGraphQL, subscribe), store }), socket };
}

// What a component would read: the data of a fragment that an operation spreads at `parent`.
function read(environment, fragment, reference) {
  return environment.lookup(getSelector(fragment, reference)).data;
}

function load(environment, query, variables) {
  environment.retain(createOperationDescriptor(query, variables));
  return fetchQuery(environment, query, variables).toPromise();
}

function commit(environment, mutation, variables) {
  return new Promise((resolve, reject) => {
    commitMutation(environment, {
      mutation,
      variables,
      onCompleted: (response, errors) => resolve({ response, errors }),
      onError: reject,
    });
  });
}

const card = artifact("documentsCard_customer");

async function create(environment) {
  const name = uniqueName("Relay");
  const { response } = await commit(environment, artifact("documentsCreateMutation"), { input: person(name) });
  return { name, customer: response.customerCreate.customer };
}

describe("Relay", { timeout: 60_000 }, () => {
  test("a refetchable connection of the query loads its next page", async () => {
    const { environment } = connect();
    const fragment = artifact("documentsCustomers_query");
    const reference = await load(environment, artifact("documentsCustomersQuery"), { filter: GERMANY, count: 6 });
    assert.equal(read(environment, fragment, reference).customers.edges.length, 6);
    const cursor = read(environment, fragment, reference).customers.pageInfo.endCursor;
    await load(environment, artifact("documentsCustomersPageQuery"), { filter: GERMANY, count: 6, cursor });
    const { customers } = read(environment, fragment, reference);
    const names = customers.edges.map(({ node }) => read(environment, card, node).name);
    assert.equal(new Set(names).size, customers.totalCount);
    assert.equal(customers.pageInfo.hasNextPage, false);
  });

  test("a refetchable connection of a node loads its next page", async () => {
    const { environment } = connect();
    const fragment = artifact("documentsOrders_customer");
    const identifier = { kind: "EXTERNAL_ID", value: "QUICK" };
    const { customerBy } = await load(environment, artifact("documentsOrdersQuery"), { identifier });
    const { pageInfo, edges } = read(environment, fragment, customerBy).orders;
    assert.deepEqual([edges.length, pageInfo.hasNextPage], [10, true]);
    const variables = { id: customerBy.id, count: 20, cursor: pageInfo.endCursor };
    await load(environment, artifact("documentsOrdersPageQuery"), variables);
    const { orders } = read(environment, fragment, customerBy);
    assert.equal(new Set(orders.edges.map(({ node }) => node.number)).size, 28);
  });

  test("a mutation updates the row in the store", async () => {
    const { environment } = connect();
    const { name, customer } = await create(environment);
    assert.deepEqual(read(environment, card, customer).attributes, ATTRIBUTES);
    const input = { id: customer.id, name: `${name}!` };
    await commit(environment, artifact("documentsUpdateMutation"), { input });
    assert.deepEqual([read(environment, card, customer).name, read(environment, card, customer).version], [`${name}!`, 2]);
  });

  test("a refetchable fragment is fetched again", async () => {
    const { environment } = connect();
    const { name, customer } = await create(environment);
    const other = connect().environment;
    await commit(other, artifact("documentsUpdateMutation"), { input: { id: customer.id, name: `${name}!` } });
    await load(environment, artifact("documentsCardQuery"), { id: customer.id });
    assert.equal(read(environment, card, customer).name, `${name}!`);
  });

  test("an error has its code", async () => {
    const { environment } = connect();
    const mutation = commit(environment, artifact("documentsUpdateMutation"), { input: { id: NOBODY, name: "nobody" } });
    await assert.rejects(mutation, ({ source }) => {
      assert.deepEqual(source.errors.map(({ extensions }) => extensions.code), ["NOT_FOUND"]);
      return true;
    });
  });

  test("a subscription writes to the store", async () => {
    const { environment, socket } = connect();
    const { name, customer } = await create(environment);
    const messages = mailbox();
    const subscription = artifact("documentsLiveSubscription");
    const live = requestSubscription(environment, {
      subscription,
      variables: { id: customer.id },
      onNext: messages.put,
      onError: messages.put,
    });
    await messages.take();
    const other = connect().environment;
    await commit(other, artifact("documentsUpdateMutation"), { input: { id: customer.id, name: `${name}!` } });
    await messages.take();
    assert.equal(read(environment, card, customer).name, `${name}!`);
    live.dispose();
    await socket.dispose();
  });
});
