// A reporter of node:test: one line of JSON for every test of a client, which is a suite.
import { inspect } from "node:util";

function describe(error) {
  const cause = error.cause ?? error;
  return cause.stack ?? inspect(cause, { depth: 0 });
}

export default async function* report(source) {
  let tests = [];
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const failure = type === "test:fail" ? describe(data.details.error) : null;
    if (data.nesting > 0) {
      tests.push({ name: data.name, failure });
    } else {
      if (failure && tests.every((test) => test.failure === null)) tests.push({ name: "the suite", failure });
      for (const test of tests) yield `${JSON.stringify({ client: data.name, ...test })}\n`;
      tests = [];
    }
  }
}
