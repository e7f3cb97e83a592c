"""Turns a GraphQL operation into one SQL statement and its answer into bytes. Knows no subject by name."""
