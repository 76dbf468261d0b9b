// Evaluates JSONata with the reference implementation. One request a line on standard input,
// {"expression", "bindings"}; one answer a line: {"value"}, {"undefined": true} or {"error": code}.
import { createInterface } from "node:readline";
import jsonata from "jsonata";

for await (const line of createInterface({ input: process.stdin })) {
  const { expression, bindings } = JSON.parse(line);
  let answer;
  try {
    // Step Functions gives an expression no document of its own: everything comes from $states and variables.
    const value = await jsonata(expression).evaluate(undefined, bindings);
    answer = value === undefined ? { undefined: true } : { value };
  } catch (error) {
    answer = { error: error.code ?? String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
