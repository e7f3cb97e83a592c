// Standard Webhooks: a receiver that verifies what the hub sends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";

import { GraphQLClient } from "graphql-request";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

import { CREATE, person } from "./documents.mjs";
import { authorization, mailbox, uniqueName, url } from "./hub.mjs";

const CREATE_WEBHOOK = `mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { secret webhook { id } } }`;
const DELETE_WEBHOOK = `mutation ($id: ID!) { webhookDelete(input: { id: $id }) { deletedId } }`;
const QUERY = `subscription ($name: String!) {
  changes(filter: { customer: { name: { startsWith: $name } } }) {
    ... on Change { operation node { ... on Customer { name attributes } } }
  }
}`;

describe("Standard Webhooks in Node", { timeout: 60_000 }, () => {
  test("a delivery verifies, a changed one does not", async () => {
    const deliveries = mailbox();
    const server = createServer(async (request, response) => {
      const chunks = await request.toArray();
      deliveries.put({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");

    const client = new GraphQLClient(url, { headers: { authorization } });
    const name = uniqueName("Zoë 王");
    const address = `http://127.0.0.1:${server.address().port}/`;
    const input = { name, url: address, query: QUERY, variables: { name } };
    const { secret, webhook } = (await client.request(CREATE_WEBHOOK, { input })).webhookCreate;
    await client.request(CREATE, { input: person(name) });

    const { headers, body } = await deliveries.take();
    const { data } = new Webhook(secret).verify(body, headers);
    assert.deepEqual([data.changes.operation, data.changes.node.name], ["CREATE", name]);
    const changed = body.replace("CREATE", "DELETE");
    assert.notEqual(changed, body);
    assert.throws(() => new Webhook(secret).verify(changed, headers), WebhookVerificationError);
    const id = `${headers["webhook-id"]}0`;
    assert.throws(() => new Webhook(secret).verify(body, { ...headers, "webhook-id": id }), WebhookVerificationError);

    await client.request(DELETE_WEBHOOK, { id: webhook.id });
    server.close();
    server.closeAllConnections();
  });
});
