// The documents that relay-compiler compiles; relay.mjs runs the artifacts.
import { graphql } from "relay-runtime";

graphql`
  query documentsCustomersQuery($filter: CustomerFilter, $count: Int!) {
    ...documentsCustomers_query @arguments(filter: $filter, count: $count)
  }
`;

graphql`
  fragment documentsCustomers_query on Query
  @refetchable(queryName: "documentsCustomersPageQuery")
  @argumentDefinitions(filter: { type: "CustomerFilter" }, count: { type: "Int", defaultValue: 6 }, cursor: { type: "Cursor" }) {
    customers(filter: $filter, orderBy: [{ field: NAME }], first: $count, after: $cursor)
      @connection(key: "documentsCustomers_customers", filters: ["filter"]) {
      totalCount
      edges {
        node {
          id
          ...documentsCard_customer
        }
      }
    }
  }
`;

graphql`
  fragment documentsCard_customer on Customer @refetchable(queryName: "documentsCardQuery") {
    name
    version
    attributes
  }
`;

graphql`
  fragment documentsOrders_customer on Customer
  @refetchable(queryName: "documentsOrdersPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "Cursor" }) {
    orders(first: $count, after: $cursor) @connection(key: "documentsOrders_orders") {
      edges {
        node {
          number
        }
      }
    }
  }
`;

graphql`
  query documentsOrdersQuery($identifier: CustomerByIdentifier!) {
    customerBy(identifier: $identifier) {
      id
      ...documentsOrders_customer
    }
  }
`;

graphql`
  mutation documentsCreateMutation($input: CustomerCreateInput!) {
    customerCreate(input: $input) {
      customer {
        id
        ...documentsCard_customer
      }
    }
  }
`;

graphql`
  mutation documentsUpdateMutation($input: CustomerUpdateInput!) {
    customerUpdate(input: $input) {
      customer {
        ...documentsCard_customer
      }
    }
  }
`;

graphql`
  subscription documentsLiveSubscription($id: ID!) {
    customerLive(id: $id) {
      customer {
        ...documentsCard_customer
      }
    }
  }
`;
