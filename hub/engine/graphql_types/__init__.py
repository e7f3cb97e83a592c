"""Builds the GraphQL types of the catalog: objects, inputs, mutations, subscriptions."""
