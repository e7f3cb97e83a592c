// Apollo Client, as its documentation sets it up: a normalised cache, HTTP with persisted queries, a WebSocket for subscriptions.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { getMainDefinition, relayStylePagination } from "@apollo/client/utilities";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import * as documents from "./documents.mjs";
import { authorization, browserFetch, mailbox, socketUrl, uniqueName, url } from "./hub.mjs";

const CUSTOMERS = gql(documents.CUSTOMERS);
const CUSTOMER = gql(documents.CUSTOMER);
const CREATE = gql(documents.CREATE);
const UPDATE = gql(documents.UPDATE);
const CHANGES = gql(documents.CHANGES);

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const isSubscription = ({ query }) => getMainDefinition(query).operation === "subscription";

function connect(httpLink) {
  const socket = createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ authorization }),
    retryAttempts: 0,
  });
  const client = new ApolloClient({
    link: ApolloLink.split(isSubscription, new GraphQLWsLink(socket), httpLink),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { customers: relayStylePagination(["filter", "orderBy"]) } } },
    }),
    clientAwareness: { name: "conformance", version: "1" },
  });
  return { client, socket };
}

function http(options = {}) {
  const headers = { authorization, "apollo-require-preflight": "true" };
  return new HttpLink({ uri: url, fetch: browserFetch, headers, ...options });
}

function names(cached) {
  return cached.customers.edges.map(({ node }) => node.name);
}

describe("Apollo Client", { timeout: 60_000 }, () => {
  test("fetchMore merges a second page into the first", async () => {
    const { client } = connect(http());
    const variables = { filter: documents.GERMANY, first: 6 };
    const query = client.watchQuery({ query: CUSTOMERS, variables });
    const subscription = query.subscribe(() => {});
    const { data } = await client.query({ query: CUSTOMERS, variables });
    assert.equal(data.customers.edges.length, 6);
    const { endCursor, hasNextPage } = data.customers.pageInfo;
    assert.equal(hasNextPage, true);
    await query.fetchMore({ variables: { after: endCursor } });
    const merged = client.readQuery({ query: CUSTOMERS, variables });
    assert.equal(new Set(names(merged)).size, merged.customers.totalCount);
    assert.equal(merged.customers.pageInfo.hasNextPage, false);
    subscription.unsubscribe();
  });

  test("a mutation updates the row in the cache", async () => {
    const { client } = connect(http());
    const name = uniqueName("Apollo");
    const created = await client.mutate({ mutation: CREATE, variables: { input: documents.person(name) } });
    const { id, attributes } = created.data.customerCreate.customer;
    assert.deepEqual(attributes, documents.ATTRIBUTES);
    await client.query({ query: CUSTOMER, variables: { id } });
    await client.mutate({ mutation: UPDATE, variables: { input: { id, name: `${name}!` } } });
    const cached = client.readQuery({ query: CUSTOMER, variables: { id } });
    assert.deepEqual([cached.customer.name, cached.customer.version], [`${name}!`, 2]);
  });

  test("an error has its code", async () => {
    const { client } = connect(http());
    const input = { id: documents.NOBODY, name: "nobody" };
    const mutation = client.mutate({ mutation: UPDATE, variables: { input } });
    await assert.rejects(mutation, (error) => {
      assert.ok(CombinedGraphQLErrors.is(error));
      assert.deepEqual(error.errors.map(({ extensions }) => extensions.code), ["NOT_FOUND"]);
      return true;
    });
  });

  test("a subscription goes on after a lost connection", async () => {
    const { client, socket } = connect(http());
    const name = uniqueName("Apollo");
    const changes = mailbox();
    let cursor;
    function follow() {
      const variables = { name, after: cursor };
      client.subscribe({ query: CHANGES, variables, fetchPolicy: "no-cache" }).subscribe({
        next({ data, error }) {
          if (error) return;
          cursor = data.changes.cursor;
          changes.put(data.changes);
        },
        error: follow,
        complete: follow,
      });
    }
    follow();
    assert.equal((await changes.take()).__typename, "StreamReady");
    const create = (input) => client.mutate({ mutation: CREATE, variables: { input } });
    await create(documents.person(`${name} 1`));
    assert.equal((await changes.take()).node.name, `${name} 1`);
    const missed = create(documents.person(`${name} 2`));
    socket.terminate();
    await missed;
    let change = await changes.take();
    while (change.__typename !== "Change") change = await changes.take();
    assert.equal(change.node.name, `${name} 2`);
    await socket.dispose();
  });

  for (const useGETForHashedQueries of [false, true]) {
    const method = useGETForHashedQueries ? "GET" : "POST";
    test(`a persisted query is registered once and then sent as its hash by ${method}`, async () => {
      const sent = [];
      function recordingFetch(address, init) {
        const parameters = init.body ? JSON.parse(init.body) : Object.fromEntries(new URL(address).searchParams);
        sent.push([init.method, "query" in parameters, "extensions" in parameters]);
        return browserFetch(address, init);
      }
      const query = gql(`query Fresh { ${uniqueName("a").replace(/\W/g, "_")}: customers { totalCount } }`);
      const answers = [];
      for (let n = 0; n < 2; n += 1) {
        const persisted = createPersistedQueryLink({ sha256, useGETForHashedQueries });
        const { client } = connect(persisted.concat(http({ fetch: recordingFetch })));
        answers.push((await client.query({ query })).data);
      }
      assert.deepEqual(answers[0], answers[1]);
      assert.deepEqual(sent, [[method, false, true], ["POST", true, true], [method, false, true]]);
    });
  }
});
