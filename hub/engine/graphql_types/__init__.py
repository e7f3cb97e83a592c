"""The GraphQL types that follow from the catalog: objects, inputs, mutations, subscriptions."""
