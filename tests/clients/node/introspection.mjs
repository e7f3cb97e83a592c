// graphql-js: the schema by introspection is the schema that the hub prints.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from "graphql";
import { GraphQLClient } from "graphql-request";

import { authorization, url } from "./hub.mjs";

describe("graphql-js", { timeout: 60_000 }, () => {
  test("introspection with every option gives the printed schema", async () => {
    const client = new GraphQLClient(url, { headers: { authorization } });
    const options = {
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    };
    const introspection = await client.request(getIntrospectionQuery(options));
    const text = (schema) => printSchema(lexicographicSortSchema(schema));
    const printed = await readFile(new URL("../../../schema/schema.graphql", import.meta.url), "utf8");
    assert.equal(text(buildClientSchema(introspection)), text(buildSchema(printed)));
  });
});
