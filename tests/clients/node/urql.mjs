// urql with Graphcache, which knows the schema, and with subscriptions over a WebSocket or server-sent events.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { persistedExchange } from "@urql/exchange-persisted";
import { minifyIntrospectionQuery } from "@urql/introspection";
import { getIntrospectionQuery } from "graphql";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import * as documents from "./documents.mjs";
import { authorization, browserFetch, mailbox, socketUrl, uniqueName, url } from "./hub.mjs";

const fetchOptions = { headers: { authorization } };

async function introspect() {
  const body = JSON.stringify({ query: getIntrospectionQuery({ descriptions: false }) });
  const headers = { authorization, "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body });
  return minifyIntrospectionQuery((await response.json()).data);
}

const schema = await introspect();

function cache() {
  return cacheExchange({
    schema,
    resolvers: { Query: { customers: relayPagination() } },
    keys: { Money: () => null, PageInfo: () => null },
    updates: {
      Mutation: { customerCreate: (_result, _arguments, store) => store.invalidate("Query", "customers") },
    },
  });
}

function connect(exchanges, options = {}) {
  return new Client({ url, fetch: browserFetch, fetchOptions, exchanges: [cache(), ...exchanges], ...options });
}

describe("urql", { timeout: 60_000 }, () => {
  test("relayPagination joins two pages", async () => {
    const client = connect([fetchExchange]);
    const variables = { filter: documents.GERMANY, first: 6 };
    const first = await client.query(documents.CUSTOMERS, variables).toPromise();
    assert.equal(first.error, undefined);
    assert.equal(first.data.customers.edges.length, 6);
    const after = first.data.customers.pageInfo.endCursor;
    const both = await client.query(documents.CUSTOMERS, { ...variables, after }).toPromise();
    const names = both.data.customers.edges.map(({ node }) => node.name);
    assert.equal(new Set(names).size, both.data.customers.totalCount);
    assert.equal(both.data.customers.pageInfo.hasNextPage, false);
  });

  test("a mutation updates the row in the cache", async () => {
    const client = connect([fetchExchange]);
    const name = uniqueName("urql");
    const created = await client.mutation(documents.CREATE, { input: documents.person(name) }).toPromise();
    const { id, attributes } = created.data.customerCreate.customer;
    assert.deepEqual(attributes, documents.ATTRIBUTES);
    await client.query(documents.CUSTOMER, { id }).toPromise();
    await client.mutation(documents.UPDATE, { input: { id, name: `${name}!` } }).toPromise();
    const cached = client.readQuery(documents.CUSTOMER, { id }, { requestPolicy: "cache-only" });
    assert.deepEqual([cached.data.customer.name, cached.data.customer.version], [`${name}!`, 2]);
  });

  test("an error has its code", async () => {
    const client = connect([fetchExchange]);
    const input = { id: documents.NOBODY, name: "nobody" };
    const { error } = await client.mutation(documents.UPDATE, { input }).toPromise();
    assert.equal(error.networkError, undefined);
    assert.deepEqual(error.graphQLErrors.map(({ extensions }) => extensions.code), ["NOT_FOUND"]);
  });

  test("a subscription over a WebSocket", async () => {
    const socket = createClient({
      url: socketUrl,
      webSocketImpl: WebSocket,
      connectionParams: { headers: { Authorization: authorization } },
    });
    const forwardSubscription = (request) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? "" }, sink) }),
    });
    await followLive(connect([fetchExchange, subscriptionExchange({ forwardSubscription })]));
    await socket.dispose();
  });

  test("a subscription over server-sent events", async () => {
    await followLive(connect([fetchExchange], { fetchSubscriptions: true }));
  });

  test("a persisted query is registered once and then sent as its hash", async () => {
    const sent = [];
    function recordingFetch(address, init) {
      const parameters = init.body ? JSON.parse(init.body) : Object.fromEntries(new URL(address).searchParams);
      sent.push([init.method, "query" in parameters]);
      return browserFetch(address, init);
    }
    const query = `query Fresh { ${uniqueName("u").replace(/\W/g, "_")}: orders { totalCount } }`;
    const answers = [];
    for (let n = 0; n < 2; n += 1) {
      const persisted = persistedExchange({ preferGetForPersistedQueries: true });
      const client = connect([persisted, fetchExchange], { fetch: recordingFetch });
      answers.push((await client.query(query, {}).toPromise()).data);
    }
    assert.ok(answers[0]);
    assert.deepEqual(answers[0], answers[1]);
    assert.deepEqual(sent, [["GET", false], ["GET", true], ["GET", false]]);
  });
});

// Follows a customer while a mutation renames it.
async function followLive(client) {
  const name = uniqueName("urql");
  const created = await client.mutation(documents.CREATE, { input: documents.person(name) }).toPromise();
  const { id } = created.data.customerCreate.customer;
  const results = mailbox();
  const { unsubscribe } = client.subscription(documents.LIVE, { id }).subscribe(results.put);
  const before = await results.take();
  assert.equal(before.error, undefined);
  assert.equal(before.data.customerLive.customer.name, name);
  await client.mutation(documents.UPDATE, { input: { id, name: `${name}!` } }).toPromise();
  const after = await results.take();
  assert.equal(after.data.customerLive.customer.name, `${name}!`);
  unsubscribe();
}
