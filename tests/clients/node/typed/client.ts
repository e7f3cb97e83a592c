// A client with types that graphql-codegen generated; `tsc --strict` compiles it.
import { GraphQLClient } from "graphql-request";

import { getFragmentData, graphql } from "../../.generated/typed/gql/index.js";

const Card = graphql(`
  fragment TypedCard on Customer {
    id
    name
    kind
    attributes
    createdAt
  }
`);

const Customers = graphql(`
  query TypedCustomers($filter: CustomerFilter, $first: Int!, $after: Cursor) {
    customers(filter: $filter, first: $first, after: $after, orderBy: [{ field: NAME }]) {
      totalCount
      nodes { ...TypedCard }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const Create = graphql(`
  mutation TypedCreate($input: CustomerCreateInput!) {
    customerCreate(input: $input) { customer { ...TypedCard timeline(first: 1) { nodes { __typename at } } } }
  }
`);

const Entry = graphql(`
  query TypedNode($id: ID!) {
    node(id: $id) { __typename id ... on Customer { ...TypedCard } ... on Order { net } }
  }
`);

export async function listNames(url: string, authorization: string, country: string): Promise<string[]> {
  const client = new GraphQLClient(url, { headers: { authorization } });
  const filter = { country: { eq: country } };
  const first = (await client.request(Customers, { filter, first: 6 })).customers;
  const after = first.pageInfo.endCursor;
  const rest = (await client.request(Customers, { filter, first: 6, after })).customers;
  return getFragmentData(Card, [...first.nodes, ...rest.nodes]).map(({ name }) => name);
}

export async function createAndFind(url: string, authorization: string, name: string): Promise<unknown> {
  const client = new GraphQLClient(url, { headers: { authorization } });
  const input = { kind: "PERSON" as const, name, attributes: { loyal: true } };
  const { customerCreate } = await client.request(Create, { input });
  const created = getFragmentData(Card, customerCreate.customer);
  if (created == null) throw new Error("no customer");
  const { node } = await client.request(Entry, { id: created.id });
  if (node?.__typename !== "Customer") throw new Error("another type");
  return getFragmentData(Card, node).attributes;
}
