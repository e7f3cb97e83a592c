// The operations that the clients send. GERMANY has eleven customers in Northwind; what the clients write has no country.
export const GERMANY = { country: { eq: "DE" } };
export const CARD = `fragment CustomerCard on Customer { id name kind version attributes createdAt }`;

export const CUSTOMERS = `
  query Customers($filter: CustomerFilter, $first: Int, $after: Cursor) {
    customers(filter: $filter, orderBy: [{ field: NAME }], first: $first, after: $after) {
      totalCount
      edges { cursor node { ...CustomerCard } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
  ${CARD}
`;

export const CUSTOMER = `query Customer($id: ID!) { customer(id: $id) { ...CustomerCard } } ${CARD}`;

export const CREATE = `
  mutation CreateCustomer($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { ...CustomerCard } } }
  ${CARD}
`;

export const UPDATE = `
  mutation UpdateCustomer($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { ...CustomerCard } } }
  ${CARD}
`;

export const CREATE_ORDER = `
  mutation CreateOrder($input: OrderCreateInput!) {
    orderCreate(input: $input) { order { id number placedAt requiredAt freight net currency } }
  }
`;

export const CHANGES = `
  subscription Changes($name: String!, $after: Cursor) {
    changes(after: $after, filter: { customer: { name: { startsWith: $name } } }) {
      __typename
      ... on StreamReady { cursor }
      ... on StreamProgress { cursor }
      ... on Change { cursor operation node { ... on Customer { id name } } }
    }
  }
`;

export const LIVE = `
  subscription CustomerLive($id: ID!) { customerLive(id: $id) { cursor customer { ...CustomerCard } } }
  ${CARD}
`;

// Every custom scalar, at the edge of what a client's own numbers and dates can hold.
export const ATTRIBUTES = { loyal: true, spend: 12.5, tags: ["ü", null, { deep: [] }], since: "1996-07-04" };
export const ORDER = { placedAt: "2026-01-31T12:34:56.123456Z", freight: "12345678901234.5678", currency: "EUR" };
export const STORED_ORDER = { ...ORDER, placedAt: "2026-01-31T12:34:56.123456+00:00" };

export function person(name) {
  return { kind: "PERSON", name, attributes: ATTRIBUTES };
}

export const NOBODY = "cus_00000000000000000000000000000000";
